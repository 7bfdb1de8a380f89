"""Training of mouth and head pose, a few steps on made-up material."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.train import mouth_fit, pose_fit
from lsp_cam.train.models.pose import POSE, RECEPTIVE_FIELD, PoseNet
from lsp_cam.train.mouth_data import Pool


@pytest.fixture(scope="module")
def pool() -> Pool:
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(50, 1024)).astype(np.float16) for _ in range(3)]
    truth = [np.repeat(f[:, :1].astype(np.float32) + 1, 75, axis=1) for f in features]
    return Pool(features, [features[0], None, None], truth)


def test_mouth_learns_and_resumes_identically(pool: Pool, tmp_path: Path) -> None:
    config = mouth_fit.Config(tmp_path / "a", steps=6, batch=2, frames=30, threads=1, save_every=3, check_every=3)
    whole = torch.load(mouth_fit.fit(pool, pool, config), weights_only=True)["model"]
    losses = np.loadtxt(config.out / "mouth.csv", delimiter=",", skiprows=1)[:, 1]
    assert losses[-1] < losses[0]
    parts = dataclasses.replace(config, out=tmp_path / "b")
    rates = pytest.MonkeyPatch.context
    with rates() as patch:  # stop where a kill at a checkpoint would
        real = mouth_fit.checkpoint.cosine_rate
        patch.setattr(mouth_fit.checkpoint, "cosine_rate", lambda step, steps, *a: real(step, 6, *a))
        mouth_fit.fit(pool, pool, dataclasses.replace(parts, steps=3))
    told: list[float] = []
    resumed = torch.load(mouth_fit.fit(pool, pool, parts, tell=told.append), weights_only=True)["model"]
    assert told == pytest.approx([4 / 6, 5 / 6, 1])
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_end_of_an_utterance_is_repeated(pool: Pool) -> None:
    features, truth = pool.draw(4, 50, mouth_fit.LOOK_AHEAD, np.random.default_rng(0))
    assert features.shape == (4, 68, 1024)
    assert truth.shape == (4, 50, 75)
    assert torch.equal(features[:, 50:], features[:, 49:50].expand(-1, 18, -1))
    torch.testing.assert_close(truth[..., 0], features[:, :50, 0] + 1)


def test_pose_in_scaled_units_is_the_same_network_outside() -> None:
    scale = np.linspace(0.1, 4, POSE).astype(np.float32)
    inner, outer = PoseNet().eval(), PoseNet().eval()
    outer.load_state_dict(pose_fit.unscaled(inner, scale))
    features, history = torch.randn(1, 9, 1024), torch.randn(1, 9, POSE)
    unit = torch.from_numpy(scale)
    with torch.no_grad():
        a, b = inner(features, history / unit), outer(features, history)
    torch.testing.assert_close(b[..., 1:13], a[..., 1:13] * unit)
    torch.testing.assert_close(torch.exp(-b[..., 13:]), torch.exp(-a[..., 13:]) * unit)


def test_pose_learns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(0, 0.05, (900, POSE)), axis=0).astype(np.float32)
    motion = pose_fit.Motion(poses, np.ones(POSE, np.float32), rng.normal(size=(1, 900, 1024)).astype(np.float32))
    config = pose_fit.Config(tmp_path, steps=4, batch=2, frames=8, threads=1, check_every=4, train_share=0.6)
    told: list[float] = []
    assert pose_fit.fit(motion, config, told.append).exists()
    assert told == [0.25, 0.5, 0.75, 1]
    losses = np.loadtxt(tmp_path / "pose.csv", delimiter=",", skiprows=1)[:, 1]
    assert losses[-1] < losses[0]


def test_a_pose_hears_its_look_ahead_and_sees_the_pose_before() -> None:
    steps = np.arange(400, dtype=np.float32)
    poses = np.repeat(steps[:, None], POSE, axis=1)
    motion = pose_fit.Motion(poses, np.ones(POSE, np.float32), np.repeat(steps[None, :, None], 1024, axis=2))
    features, history, target = motion.rows(10, 10 + RECEPTIVE_FIELD, 0)
    assert (target[0, 0], history[0, 0], features[0, 0]) == (10, 9, 10 + pose_fit.LOOK_AHEAD)


def test_the_mouth_that_validated_best_is_kept(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([2.0, 1.0, 3.0])
    monkeypatch.setattr(mouth_fit, "validate", lambda *_: {"raw_mm": 9.0, "projected_mm": next(errors), "still_mm": 9})
    config = mouth_fit.Config(tmp_path, steps=3, batch=2, frames=8, threads=1, save_every=1, check_every=1)
    best = torch.load(mouth_fit.fit(pool, pool, config), weights_only=True)
    last = torch.load(tmp_path / "mouth.pt", weights_only=True)
    assert best["score"] == 1.0
    assert not torch.equal(best["model"]["fc.6.weight"], last["model"]["fc.6.weight"])


def test_a_mouth_can_begin_with_what_another_learned(pool: Pool, tmp_path: Path) -> None:
    taught = mouth_fit.begin(pool).state_dict()
    taught["fc.6.bias"] = taught["fc.6.bias"] + 100
    config = mouth_fit.Config(tmp_path, steps=1, batch=2, frames=8, threads=1)
    began = torch.load(mouth_fit.fit(pool, pool, config, taught), weights_only=True)["model"]
    torch.testing.assert_close(began["fc.6.bias"], taught["fc.6.bias"], atol=0.01, rtol=0)


def test_loss_is_the_distance_of_points_and_of_the_lips() -> None:
    truth = torch.zeros(1, 2, 75)
    moved = truth + torch.tensor([3.0, 0.0, 4.0]).repeat(25)  # all points alike: no gap changes
    assert float(mouth_fit.loss_of(moved, truth, gap=1.0)) == pytest.approx(5.0, rel=1e-3)
    assert float(mouth_fit.loss_of(moved, truth, gap=1.0, squared=True)) == pytest.approx(25 / 3)
    parted = truth.clone()
    parted[..., mouth_fit._UPPER] += 2.0
    alone, with_gap = (float(mouth_fit.loss_of(parted, truth, gap)) for gap in (0.0, 1.0))
    assert with_gap - alone == pytest.approx(2.0)


def test_lips_that_should_be_shut_weigh_more_and_others_as_before() -> None:
    truth, parted = torch.zeros(1, 2, 75), torch.zeros(1, 2, 75)
    parted[..., mouth_fit._UPPER] += 2.0

    def asked(ours: torch.Tensor, wanted: torch.Tensor) -> float:
        plain, weighed = (float(mouth_fit.loss_of(ours, wanted, 1.0, shut=shut)) for shut in (0.0, 2.0))
        return weighed - plain

    assert asked(parted, truth) == pytest.approx(4.0)
    assert asked(truth, parted) == pytest.approx(0.0, abs=1e-6)


def test_calm_keeps_nods_and_takes_most_of_the_sway() -> None:
    t = np.arange(3600) / 60
    sway, nods = 4 * np.sin(2 * np.pi * t / 20), np.sin(2 * np.pi * t / 1.5)
    calm = pose_fit.Calm(slow_s=2.0, slow_share=0.25)
    six = np.stack([3 + sway + nods] * 6, axis=1)
    left = calm(six, 60.0)
    np.testing.assert_allclose(left.mean(axis=0), six.mean(axis=0), atol=1e-6)
    inner = slice(600, -600)  # away from the ends
    swaying, nodding = (np.dot(left[inner, 0], w[inner]) / np.dot(w[inner], w[inner]) for w in (sway, nods))
    assert 0.25 < swaying < 0.45
    assert nodding == pytest.approx(1.0, abs=0.05)

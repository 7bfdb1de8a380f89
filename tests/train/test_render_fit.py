"""Training of the lite renderer on a tiny clip, from footage to the bundle's file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch

from lsp_cam.errors import ModelError, UsageError
from lsp_cam.train.render_data import Footage, open_footage
from lsp_cam.train.render_fit import Config, files, fit
from lsp_cam.train.render_lite import LiteConfig, LiteJob, load
from lsp_cam.trust.networks import check_network
from tests.train.footage import small_footage


@pytest.fixture(scope="module")
def footage(shared: Path) -> Footage:
    return small_footage(shared)


def config(out: Path) -> Config:
    lite = LiteConfig(movement_steps=3, warm_steps=2, warm_batch=2, frozen_share=0.3)
    return Config(out, steps=4, threads=1, device="cpu", save_every=1, check_every=2, checks=2, lite=lite)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return dict(torch.load(path, weights_only=True)["model"])


def test_memory_that_is_too_little_before_the_first_step_is_told(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: LiteJob) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(LiteJob, "begin", full)
    with pytest.raises(ModelError, match=r"too little memory for the renderer itself\. Choose --size 256"):
        fit(footage, config(tmp_path))


def test_killed_and_resumed_gives_the_same_weights(
    footage: Footage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit(footage, config(tmp_path / "whole"))
    step = LiteJob.step

    def dying(self: LiteJob, number: int, steps: int) -> dict[str, float]:
        if number == 2:
            raise KeyboardInterrupt
        return step(self, number, steps)

    monkeypatch.setattr(LiteJob, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        fit(footage, config(tmp_path / "killed"))
    monkeypatch.undo()
    resumed = fit(footage, config(tmp_path / "killed"))
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name
    assert (tmp_path / "killed" / "stills.png").exists()


def test_its_file_paints_what_it_has_learned(footage: Footage, tmp_path: Path) -> None:
    best = fit(footage, config(tmp_path))
    made = files(best)
    assert list(made) == ["render.onnx"]
    check_network(made["render.onnx"], "render.onnx")
    drawn = footage.feature_map(3)[None]
    session = ort.InferenceSession(made["render.onnx"], providers=["CPUExecutionProvider"])
    frame = session.run(None, {"map": drawn.numpy()})[0].astype(float)
    with torch.no_grad():
        wanted = load(torch.load(best, weights_only=True))(drawn).picture.clamp(0, 1).numpy() * 255
    assert np.abs(frame - wanted).mean() < 1.0


def test_training_starts_near_the_picture_and_gets_nearer(footage: Footage, tmp_path: Path) -> None:
    fit(footage, replace(config(tmp_path), steps=40, check_every=20))
    rows = np.genfromtxt(tmp_path / "render.csv", delimiter=",", names=True)
    assert rows["loss"][-5:].mean() < 0.8 * rows["loss"][:5].mean()
    scores = np.genfromtxt(tmp_path / "render_check.csv", delimiter=",", names=True)
    assert scores["psnr_db"][-1] > 31


def test_what_does_not_fit_is_told(footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="multiple of 64"):
        open_footage(footage.clip, footage.frames[:, :100, :100])
    with pytest.raises(UsageError, match="Track and crop"):
        open_footage(footage.clip, footage.frames[:5])
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="--device cpu"):
            fit(footage, replace(config(tmp_path), device="cuda"))


def test_without_the_upper_body_no_shoulder_is_drawn(footage: Footage) -> None:
    bare = replace(footage, upper_body=False)
    low = int(footage.points[0, :, 1].max()) + 3
    assert footage.feature_map(0)[:, low:].sum() > 20
    assert bare.feature_map(0)[:, low:].sum() == 0
    assert torch.equal(bare.feature_map(0)[:, :60], footage.feature_map(0)[:, :60])

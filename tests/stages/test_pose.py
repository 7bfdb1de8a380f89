"""Head motion: the published roll-out, sampling that a seed decides, an end with or without its tail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsp_cam.backends.base import Array, TensorSpec
from lsp_cam.packets import GatesFrame
from lsp_cam.stages.pose import LARGEST, POSE, RAW, PoseConfig, PoseStage
from lsp_cam.stream import run_offline
from tests.released import ENGINE, gates_stage, pose_stage
from tests.stages.packets import projected_frames


def gates_frames(make_release: Any, case: Any) -> list[GatesFrame]:
    return list(run_offline(gates_stage(make_release, case), projected_frames(case)))


def test_the_roll_out_is_the_published_one(case: Any, make_release: Any) -> None:
    frames = list(run_offline(pose_stage(make_release, case), gates_frames(make_release, case)))
    wanted = case.expected["head_pred"]
    assert [f.frame for f in frames] == list(range(len(wanted)))
    np.testing.assert_allclose(np.stack([f.sample for f in frames]), wanted, rtol=0, atol=1e-4)
    scale = np.r_[1, np.full(24, 0.05)].astype(
        np.float32
    )  # make_release.py scales the last layer, the array is from before
    np.testing.assert_allclose(np.stack([f.raw for f in frames]), case.expected["head_raw"] * scale, rtol=0, atol=1e-4)


def test_the_tail_hears_the_last_frame_over_and_over(case_a: Any, make_release: Any) -> None:
    packets = gates_frames(make_release, case_a)
    padded = list(run_offline(pose_stage(make_release, case_a, pad_tail=True), packets))
    longer = [*packets, *(GatesFrame(len(packets) + i, packets[-1].gates) for i in range(15))]
    wanted = list(run_offline(pose_stage(make_release, case_a), longer))
    assert [f.frame for f in padded] == list(range(len(packets)))
    np.testing.assert_array_equal(np.stack([f.sample for f in padded]), np.stack([f.sample for f in wanted]))


def test_a_seed_decides_the_motion(case_a: Any, make_release: Any) -> None:
    packets = gates_frames(make_release, case_a)[:40]

    def motion(seed: int, scale: float) -> Any:
        return np.stack([f.sample for f in run_offline(pose_stage(make_release, case_a, seed, scale), packets)])

    np.testing.assert_array_equal(motion(1, 0.3), motion(1, 0.3))
    assert np.abs(motion(1, 0.3) - motion(2, 0.3)).max() > 0.1
    assert np.abs(motion(1, 0.3) - motion(1, 0.0)).max() > 0.1
    np.testing.assert_array_equal(motion(1, 0.0), motion(2, 0.0))


def test_liveliness_is_a_factor_on_sigma(case_a: Any, make_release: Any) -> None:
    packets = gates_frames(make_release, case_a)[:40]
    stage, calmer = (pose_stage(make_release, case_a, 1, scale) for scale in (0.3, 0.15))
    state, got = stage.start(), []
    state.liveliness = 0.5
    for packet in packets:
        frames, state = stage.step(packet, state)
        got += frames
    wanted = list(run_offline(calmer, packets))[: len(got)]
    np.testing.assert_array_equal(np.stack([f.sample for f in got]), np.stack([f.sample for f in wanted]))


class Stub:
    """A network that answers the same `raw` for ever."""

    def __init__(self, raw: Array) -> None:
        self.inputs: dict[str, TensorSpec] = {}
        self.outputs: dict[str, TensorSpec] = {}
        self._raw = raw.astype(np.float32)[None]
        self.histories: list[Array] = []

    def run(self, feeds: Any) -> dict[str, Array]:
        self.histories.append(feeds["history"].copy())
        return {"raw": self._raw, "columns": feeds["past"]}

    def hold(self, constants: Any) -> None:
        raise AssertionError("nothing is constant here")


def test_samples_spread_as_the_network_says() -> None:
    raw = np.r_[0, np.arange(POSE), np.linspace(-1, 3, POSE)]
    stub = Stub(raw)
    stage = PoseStage(stub, PoseConfig(0, 0.5), 3, pad_tail=False)
    samples = np.stack([f.sample for f in run_offline(stage, [_silence(t) for t in range(4_000)])])
    np.testing.assert_allclose(samples.mean(0), np.arange(POSE), atol=0.08)
    np.testing.assert_allclose(samples.std(0), 0.5 * np.exp(-np.linspace(-1, 3, POSE)), rtol=0.05)


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf, 1e30, -1e30, -5e3])
def test_a_wild_answer_does_not_poison_the_poses_to_come(wild: float) -> None:
    for raw in (np.full(RAW, wild), np.r_[0, np.zeros(POSE), np.full(POSE, wild)]):
        stub = Stub(raw)
        frames = list(
            run_offline(PoseStage(stub, PoseConfig(0, 1.0), 0, pad_tail=False), [_silence(t) for t in range(5)])
        )
        assert np.isfinite([f.sample for f in frames]).all()
        assert np.abs(stub.histories).max() <= LARGEST


def _silence(t: int) -> GatesFrame:
    return GatesFrame(t, np.zeros((14, 256), np.float32))


def test_the_bundle_or_the_caller_scales_the_sigma(reference_bundle: Any) -> None:
    subject = reference_bundle("case_a")
    assert PoseStage.from_subject(subject, ENGINE, pad_tail=True).config.sigma_scale == 0.3
    assert PoseStage.from_subject(subject, ENGINE, sigma_scale=0.0, pad_tail=True).config.sigma_scale == 0.0

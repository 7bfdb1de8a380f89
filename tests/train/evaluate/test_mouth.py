"""Table 1, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsp_cam.backends.base import Array, TensorSpec
from lsp_cam.packets import ProjectedFrame
from lsp_cam.stages.mouth import MouthConfig, MouthStage
from lsp_cam.train.evaluate.mouth import cut_short, distances
from lsp_cam.train.evaluate.speaking import lip_gap

from .material import face


def test_an_error_is_the_mean_distance_of_points() -> None:
    truth = np.zeros((2, 25, 3))
    ours = truth.copy()
    ours[0, :, 0], ours[0, :, 1] = 3, 4
    ours[1, 0, 2] = 25
    assert distances(ours, truth).tolist() == [5, 1]


def test_the_gap_is_that_of_the_inner_lips_and_pressed_lips_have_none() -> None:
    np.testing.assert_allclose(lip_gap(np.stack([face(7.5), face(-2.0)])), [7.5, 0])


class Echo:
    """A mouth network whose answer is the number of the frame that it hears (in x), nothing else."""

    def __init__(self) -> None:
        self.inputs = {name: TensorSpec((3, 1, 256), np.dtype(np.float32)) for name in ("h_in", "c_in")}
        self.outputs: dict[str, TensorSpec] = {}

    def run(self, feeds: Any) -> dict[str, Array]:
        delta = np.zeros((2, 75), np.float32)
        delta[:, 0] = feeds["features"][:, 0]
        return {"delta": delta, "h_out": feeds["h_in"], "c_out": feeds["c_in"]}

    def hold(self, constants: Any) -> None:
        raise NotImplementedError


def test_cut_short_hears_as_far_ahead_as_it_says() -> None:
    rows = [np.full((2, 512), k, np.float32) for k in range(12)]
    projected = [
        ProjectedFrame(k, r, np.zeros((2, 1), np.int32), np.ones((2, 1), np.float32)) for k, r in enumerate(rows)
    ]
    answers = cut_short(MouthStage(Echo(), MouthConfig(4)), projected)
    assert sorted(answers) == [0, 1, 2, 3]
    for ahead, frames in answers.items():
        assert sorted(frames) == list(range(12 - ahead))
        # told that speech ends at `ahead` frames beyond, it hears that last frame over and over
        heard = {frame: answer.points[0, 0] for frame, answer in frames.items()}
        assert heard == {frame: pytest.approx(frame + ahead) for frame in heard}

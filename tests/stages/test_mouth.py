"""The mouth: the published displacements, all frames, the look-ahead that the config asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from lsp_cam.packets import ProjectedFrame
from lsp_cam.stages.mouth import MouthConfig, MouthStage
from lsp_cam.stream import run_offline
from tests.released import ENGINE, model, mouth_stage
from tests.stages.packets import projected_frames


def test_displacements_are_the_published_ones(case: Any, make_release: Any) -> None:
    frames = list(run_offline(mouth_stage(make_release, case), projected_frames(case)))
    assert [f.frame for f in frames] == list(range(len(case.expected["mouth_delta"])))
    points = np.stack([f.points for f in frames])
    assert points.shape[1:] == (25, 3)
    np.testing.assert_allclose(points.reshape(-1, 75), case.expected["mouth_delta"], rtol=0, atol=1e-5)


def test_a_frame_leaves_when_its_look_ahead_has_come(case_a: Any, make_release: Any) -> None:
    stage = MouthStage(model(make_release, case_a, "Audio2Feature"), MouthConfig(look_ahead_frames=4))
    state = stage.start()
    for t, x in enumerate(projected_frames(case_a)[:10]):
        ready, state = stage.step(x, state)
        assert [f.frame for f in ready] == ([t - 5, t - 4] if t >= 5 and t % 2 else [])
    rest, _ = stage.flush(state)
    assert [f.frame for f in rest] == [6, 7, 8, 9]


def test_nothing_comes_of_nothing(case_a: Any, make_release: Any) -> None:
    no_packets: list[ProjectedFrame] = []
    assert list(run_offline(mouth_stage(make_release, case_a), no_packets)) == []


def test_the_bundle_tells_the_look_ahead(reference_bundle: Any) -> None:
    assert MouthStage.from_subject(reference_bundle("case_a"), ENGINE).config.look_ahead_frames == 18

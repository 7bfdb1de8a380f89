"""The mouth's shape: the reference numbers, and a stream that lags no more than it says."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from lsp_cam.packets import MouthFrame, ShapeFrame
from lsp_cam.stages.landmarks import LIPS, MOUTH_LOWER, MOUTH_RELATED, MOUTH_UPPER, POINTS
from lsp_cam.stages.shape import ClipShape, LiveShape, ShapeConfig, close_lips, part_lips
from lsp_cam.stages.smoothing import smooth_clip
from lsp_cam.stream import run_offline

UPPER, LOWER = [63, 62, 61], [58, 59, 60]


def mouth_frames(moves: Any) -> list[MouthFrame]:
    return [MouthFrame(i, row.reshape(25, 3).astype(np.float32)) for i, row in enumerate(moves)]


def stacked(frames: list[ShapeFrame]) -> Any:
    return np.stack([f.points for f in frames])


def open_face() -> Any:
    """A mean face of zeros with the lips well apart."""
    points = np.zeros((POINTS, 3))
    points[UPPER, 1], points[LOWER, 1] = 1.0, -1.0
    return points


def test_a_clip_is_shaped_as_published(case: Any, reference_bundle: Any) -> None:
    stage = ClipShape.from_subject(reference_bundle(case.name), drop_tail_frames=15)
    got = list(run_offline(stage, mouth_frames(case.expected["mouth_delta"])))
    assert [f.frame for f in got] == list(range(len(case.expected["mouth_pts"])))
    np.testing.assert_allclose(stacked(got), case.expected["mouth_pts"], atol=2e-6)


def test_a_loud_clip_parts_its_lips_over_the_whole_clip(case_a: Any) -> None:
    """The reference cases never cross their lips; here is one that does, followed by hand as the README tells it."""
    face = case_a.subject["mean_pts3d"]
    moves = np.random.default_rng(5).normal(size=(60, 75)) * 0.2
    got = stacked(list(run_offline(ClipShape(ShapeConfig(smooth_frames=1.0), face), mouth_frames(moves))))
    wanted = np.zeros((60, POINTS, 3))
    wanted[:, MOUTH_RELATED] = gaussian_filter1d(moves.astype(np.float32).astype(float), 1.0, axis=0).reshape(60, 25, 3)
    wanted += face
    overlaps = wanted[:, LOWER, 1] - wanted[:, UPPER, 1]
    crossed = [t for t in range(60) if overlaps[t].min() > 0]
    assert 1 < len(crossed) < 60
    for t in crossed:
        wanted[t, UPPER, 1] += overlaps[t] / 2
        wanted[t, LOWER, 1] -= overlaps[t] / 2
        wanted[t, 47:52, 1] += overlaps[crossed].mean() / 2
        wanted[t, 53:58, 1] -= overlaps[crossed].mean() / 2
    np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_clip_without_enough_frames_is_empty() -> None:
    stage = ClipShape(ShapeConfig(), open_face(), drop_tail_frames=15)
    assert list(run_offline(stage, mouth_frames(np.zeros((15, 75))))) == []
    assert list(run_offline(stage, [])) == []


def test_amplification_moves_the_lips_alone() -> None:
    config = ShapeConfig(smooth_frames=0, amplify_upper=(1, 2, 3), amplify_lower=(4, 5, 6))
    moves = np.random.default_rng(1).uniform(0, 0.01, (1, 25, 3))
    got = stacked(list(run_offline(LiveShape(config, open_face()), mouth_frames(moves))))[0] - open_face()
    index = {point: moves[0, at] for at, point in enumerate(MOUTH_RELATED)}
    for point in range(POINTS):
        wanted = index.get(point, np.zeros(3))
        if point in MOUTH_UPPER:
            wanted = wanted * (1, 2, 3)
        elif point in MOUTH_LOWER:
            wanted = wanted * (4, 5, 6)
        np.testing.assert_allclose(got[point], wanted, atol=1e-6, err_msg=str(point))


@pytest.mark.parametrize("kind", [ClipShape, LiveShape])
def test_change_is_added_on_top_of_unamplified_displacements(kind: Any) -> None:
    moves = np.random.default_rng(1).uniform(-0.01, 0.01, (6, 25, 3))
    stage = kind(ShapeConfig(smooth_frames=0, amplify_change=2.0), open_face())
    got = stacked(list(run_offline(stage, mouth_frames(moves)))) - open_face()
    lips = moves[:, 7:]
    wanted = lips.copy()
    wanted[1:] += 2 * (lips[1:] - lips[:-1])
    np.testing.assert_allclose(got[:, LIPS], wanted, atol=1e-6)


def crossing() -> Any:
    """Three frames: lips apart, crossed a little, crossed more at one pair."""
    points = np.repeat(open_face()[None], 3, axis=0)
    points[1, UPPER, 1], points[1, LOWER, 1] = 0.0, 0.2
    points[2, UPPER, 1], points[2, LOWER, 1] = 0.0, [0.2, 0.4, 0.6]
    return points


@pytest.mark.parametrize(("alike", "outer"), [(True, (0.15, 0.15)), (False, (0.1, 0.2))])
def test_crossed_lips_touch_and_the_outer_ones_follow(alike: bool, outer: tuple[float, float]) -> None:
    points, before = crossing(), crossing()
    part_lips(points, alike=alike)
    np.testing.assert_array_equal(points[0], before[0])
    for frame, way in zip((1, 2), outer, strict=True):
        np.testing.assert_allclose(points[frame, UPPER, 1], points[frame, LOWER, 1])
        np.testing.assert_allclose(points[frame, 47:52, 1] - before[frame, 47:52, 1], way)
        np.testing.assert_allclose(points[frame, 53:58, 1] - before[frame, 53:58, 1], -way)
    rest = [p for p in range(POINTS) if p not in (*UPPER, *LOWER, *range(47, 52), *range(53, 58))]
    np.testing.assert_array_equal(points[:, rest], before[:, rest])


def test_lips_that_cross_at_two_pairs_only_are_left() -> None:
    points = crossing()
    points[1:, 61, 1] = 5.0
    before = points.copy()
    part_lips(points, alike=True)
    np.testing.assert_array_equal(points, before)


def test_small_gaps_close_and_wide_ones_stay() -> None:
    """Shut under 1, as it was from 3 on, and between them without a jump."""
    points = np.repeat(open_face()[None], 5, axis=0)
    points[:, LOWER, 1] = 0.0
    points[:, UPPER, 1] = np.array([0.6, 1.0, 2.0, 3.0, 5.0])[:, None] + [[-0.1, 0.0, 0.1]]
    before = points.copy()
    close_lips(points, 1.0, 3.0)
    gaps = points[:, UPPER, 1] - points[:, LOWER, 1]
    np.testing.assert_allclose(gaps.mean(axis=1), [0, 0, 1.5, 3.0, 5.0], atol=1e-12)
    np.testing.assert_array_equal(points[3:], before[3:])
    np.testing.assert_allclose(points[2, UPPER, 1] - before[2, UPPER, 1], before[2, LOWER, 1] - points[2, LOWER, 1])
    np.testing.assert_allclose(points[2, 47:52, 1] - before[2, 47:52, 1], -0.25)
    np.testing.assert_allclose(points[2, 53:58, 1] - before[2, 53:58, 1], 0.25)
    rest = [p for p in range(POINTS) if p not in (*UPPER, *LOWER, *range(47, 52), *range(53, 58))]
    np.testing.assert_array_equal(points[:, rest], before[:, rest])


def test_gaps_are_closed_by_a_bundles_setting_alone() -> None:
    moves = np.zeros((1, 25, 3))
    face = open_face()
    face[UPPER, 1], face[LOWER, 1] = 0.5, 0.0
    stages = [LiveShape(ShapeConfig(smooth_frames=0, close_small=small), face) for small in ((0.0, 0.0), (1.0, 1.0))]
    shown = [stacked(list(run_offline(stage, mouth_frames(moves)))) for stage in stages]
    np.testing.assert_allclose([s[0, UPPER, 1] - s[0, LOWER, 1] for s in shown], [[0.5] * 3, [0.0] * 3], atol=1e-6)
    with pytest.raises(ValueError, match="close_small"):
        ShapeConfig(close_small=(2.0, 1.0))


def test_live_frames_leave_at_once_and_resume_elsewhere(case_a: Any, reference_bundle: Any) -> None:
    stage = LiveShape.from_subject(reference_bundle("case_a"))
    frames = mouth_frames(case_a.expected["mouth_delta"])
    whole, state, resumed = [], stage.start(), None
    for x in frames:
        if x.frame == 40:
            resumed = pickle.loads(pickle.dumps(copy.deepcopy(state)))
        out, state = stage.step(x, state)
        assert [y.frame for y in out] == [x.frame]
        whole += out
    assert stage.flush(state)[0] == []
    again = LiveShape.from_subject(reference_bundle("case_a"))
    for x in frames[40:]:
        out, resumed = again.step(x, resumed)
        np.testing.assert_array_equal(out[0].points, whole[x.frame].points)


def test_live_lag_is_small_and_as_stated() -> None:
    stage = LiveShape(ShapeConfig(smooth_frames=2.0), open_face())
    ramp = np.repeat(np.arange(60.0)[:, None] * 1e-3, 75, axis=1)
    got = stacked(list(run_offline(stage, mouth_frames(ramp))))[-1, 5, 0]
    assert (0.059 - got) / 1e-3 == pytest.approx(stage.lag_frames, abs=1e-2)
    assert 0 < stage.lag_frames < 2.0


def test_a_still_mouth_looks_the_same_live_and_as_published() -> None:
    moves = np.repeat(np.random.default_rng(3).normal(size=(1, 75)) * 0.01, 30, axis=0)
    live, clip = (
        stacked(list(run_offline(kind(ShapeConfig(), open_face()), mouth_frames(moves))))
        for kind in (LiveShape, ClipShape)
    )
    np.testing.assert_allclose(live, clip, atol=1e-6)
    np.testing.assert_allclose(smooth_clip(moves, 1.5), moves)

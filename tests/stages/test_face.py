"""The whole face: the reference numbers, eyes that loop, a gate that closes the mouth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsp_cam.errors import BundleError
from lsp_cam.packets import AS_MADE, HeadFrame, Manner, MotionFrame, ShapeFrame, VoiceFrame
from lsp_cam.stages.face import FaceConfig, FaceStage, FaceState, seamless
from lsp_cam.stages.landmarks import EYES, LIPS, POINTS
from lsp_cam.stream import run_offline
from lsp_cam.subject import Subject, npz_bytes, write_bundle

POSE = np.zeros(6, np.float32)


def motion(frame: int, points: Any, gate: float = 1.0, manner: Manner = AS_MADE) -> MotionFrame:
    shape = ShapeFrame(frame, points.astype(np.float32))
    return MotionFrame(frame, shape, HeadFrame(frame, POSE), VoiceFrame(frame, gate), manner)


def small_face(live: bool, frames: int = 50) -> FaceStage:
    rng = np.random.default_rng(1)
    return FaceStage(
        FaceConfig(eye_seam_frames=10),
        rng.normal(size=(POINTS, 3)).astype(np.float32),
        np.repeat(np.arange(frames, dtype=np.float32)[:, None, None], 2, axis=1) * np.ones(3, np.float32),
        np.array([27, 65], np.int32),
        np.full((len(LIPS), 3), 9, np.float32),
        live=live,
    )


@pytest.mark.parametrize("gate", [1.0, 0.0])
def test_faces_are_as_published_whatever_the_gate(case: Any, reference_bundle: Any, gate: float) -> None:
    stage = FaceStage.from_subject(reference_bundle(case.name), live=False)
    given = [motion(i, p, gate) for i, p in enumerate(case.expected["mouth_pts"])]
    got = np.stack([f.points for f in run_offline(stage, given)])
    np.testing.assert_allclose(got, case.expected["pts3d"], atol=1e-6)


def test_published_eyes_play_from_frame_eleven_and_over_again(case_a: Any, reference_bundle: Any) -> None:
    stage = FaceStage.from_subject(reference_bundle("case_a"), live=False)
    tracked = case_a.subject["tracked3D"]
    for frame in (0, 229, 230, 500):
        got = stage.step(motion(frame, np.zeros((POINTS, 3))), FaceState())[0][0]
        np.testing.assert_allclose(got.points[list(EYES)], tracked[10 + frame % 230][list(EYES)], atol=1e-6)


def test_live_eyes_have_no_seam() -> None:
    stage = small_face(live=True)
    eyes = np.array([stage.step(motion(t, np.zeros((POINTS, 3))), FaceState())[0][0].points[27, 0] for t in range(130)])
    seam = np.abs(np.diff(eyes))
    assert seam.max() < 50 / 10  # the jump of 49 is spread over its ten frames
    np.testing.assert_array_equal(eyes[:40], eyes[40:80])
    published = small_face(live=False)
    jump = [published.step(motion(t, np.zeros((POINTS, 3))), FaceState())[0][0].points[27, 0] for t in (49, 50)]
    assert jump == [49, 0]


@pytest.mark.parametrize("frames", [1, 2, 5, 12])
def test_short_eye_tracks_loop_too(frames: int) -> None:
    track = np.random.default_rng(1).normal(size=(frames, 2, 3)).astype(np.float32)
    looped = seamless(track, 10)
    assert len(looped) == frames - min(10, frames // 2)


@pytest.mark.parametrize(("gate", "wanted"), [(0.0, 9.0), (0.25, 7.5), (1.0, 3.0)])
def test_the_gate_closes_the_mouth(gate: float, wanted: float) -> None:
    stage = small_face(live=True)
    got = stage.step(motion(0, np.full((POINTS, 3), 3.0), gate), FaceState())[0][0].points
    np.testing.assert_allclose(got[list(LIPS)], wanted)
    rest = [p for p in range(POINTS) if p not in (*LIPS, 27, 65)]
    np.testing.assert_array_equal(got[rest], stage.rest_points[rest])


@pytest.mark.parametrize(("gate", "wanted"), [(0.0, 9.0), (0.5, 4.5), (1.0, 0.0)])
@pytest.mark.parametrize("live", [True, False])
def test_the_manner_opens_the_mouth_further(live: bool, gate: float, wanted: float) -> None:
    stage, given = small_face(live=live), motion(0, np.full((POINTS, 3), 3.0), gate, Manner(mouth=1.5))
    got = stage.step(given, FaceState())[0][0].points
    np.testing.assert_allclose(got[list(LIPS)], wanted if live else 0.0)


LIDS_OF_BOTH = np.array([28, 30, 32, 34], np.int32)
BLINK_AT, BLINK_LASTS = 60, 8


def blinking_face() -> FaceStage:
    """Its eyes are open (10) but for one blink in 200 frames."""
    track = np.zeros((200, 4, 3), np.float32)
    track[:, [0, 2], 1] = 10
    track[BLINK_AT : BLINK_AT + BLINK_LASTS, [0, 2], 1] = 1
    rest, closed = np.zeros((POINTS, 3), np.float32), np.zeros((len(LIPS), 3), np.float32)
    return FaceStage(FaceConfig(eye_seam_frames=0), rest, track, LIDS_OF_BOTH, closed)


def blinks_of(rate: float, frames: int) -> list[int]:
    """How long each blink lasts, in frames."""
    stage = blinking_face()
    state, shut = stage.start(), []
    for frame in range(frames):
        (face,), state = stage.step(motion(frame, np.zeros((POINTS, 3)), manner=Manner(blinks=rate)), state)
        shut.append(face.points[28, 1] < 5)
    edges = np.flatnonzero(np.diff([0, *np.array(shut, int), 0]))
    return [int(length) for length in np.diff(edges)[::2]]


@pytest.mark.parametrize(("rate", "count"), [(0.0, 0), (0.5, 3), (1.0, 6), (2.0, 11)])
def test_blinks_come_more_or_less_often_but_last_as_long(rate: float, count: int) -> None:
    lengths = blinks_of(rate, 1200)
    assert len(lengths) == pytest.approx(count, abs=1)
    assert all(abs(length - BLINK_LASTS) <= 1 for length in lengths)


def test_a_blink_under_way_ends_though_no_more_are_wanted() -> None:
    stage = blinking_face()
    state, seen = stage.start(), []
    for frame in range(BLINK_AT + 40):
        manner = Manner(blinks=0.0 if frame > BLINK_AT else 1.0)
        (face,), state = stage.step(motion(frame, np.zeros((POINTS, 3)), manner=manner), state)
        seen.append(face.points[28, 1])
    assert seen[BLINK_AT + 1] < 5
    assert seen[-1] == 10


def test_a_muted_mouth_is_closed(reference_bundle: Any) -> None:
    stage = FaceStage.from_subject(reference_bundle("case_a"))
    got = stage.step(motion(0, np.zeros((POINTS, 3)), 0.0), FaceState())[0][0].points
    np.testing.assert_allclose(got[[63, 62, 61]], got[[58, 59, 60]], atol=1e-6)
    assert (got[47:52, 1] > got[[57, 56, 55, 54, 53], 1]).all()


def test_the_stage_keeps_what_it_was_given() -> None:
    stage, given = small_face(live=True), motion(0, np.full((POINTS, 3), 3.0), 0.5)
    before = stage.rest_points.copy()
    stage.step(given, FaceState())
    np.testing.assert_array_equal(stage.rest_points, before)
    np.testing.assert_array_equal(given.shape.points, 3.0)


BROKEN_EYES: list[dict[str, Any]] = [
    {"eye_indices": np.array([27.5, 65.0])},
    {"eye_indices": np.array([27, 73])},
    {"eye_indices": np.array([50, 27])},
    {"eye_indices": np.array([27])},
    {"eye_track": np.zeros((0, 2, 3))},
]


@pytest.mark.parametrize("change", BROKEN_EYES)
def test_eyes_that_do_not_fit_are_a_damaged_bundle(
    change: dict[str, Any], reference_bundle: Any, tmp_path: Any
) -> None:
    arrays = {
        "mean_points": np.zeros((POINTS, 3)),
        "rest_points": np.zeros((POINTS, 3)),
        "closed_mouth": np.zeros((18, 3)),
        "eye_track": np.zeros((4, 2, 3)),
        "eye_indices": np.array([27, 65]),
    }
    manifest = reference_bundle("case_a").manifest.model_dump(exclude={"format", "files"})
    write_bundle(tmp_path / "x", manifest, {"face.npz": npz_bytes(**{**arrays, **change})})
    with pytest.raises(BundleError, match=r"face\.npz"):
        FaceStage.from_subject(Subject.open(tmp_path / "x"))

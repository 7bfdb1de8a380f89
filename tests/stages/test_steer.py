"""Steering: what a viewer sees turn, changes that ease in, and tracks that are refused by name."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from lsp_cam.errors import UsageError
from lsp_cam.packets import AS_MADE, FaceFrame, HeadFrame, Manner, MotionFrame, ShapeFrame, VoiceFrame
from lsp_cam.stages.project import ProjectStage
from lsp_cam.stages.steer import TRANSITION_FRAMES, Steering, SteerStage, read_track

REST = np.array([180, 0, 0, 1, 2, 1000], np.float32)
NOSE_TIP, BROWS, CHIN = 39, slice(15, 27), 7


def motion(frame: int, pose: Any = REST) -> MotionFrame:
    shape = ShapeFrame(frame, np.zeros((73, 3), np.float32))
    return MotionFrame(frame, shape, HeadFrame(frame, np.asarray(pose, np.float32)), VoiceFrame(frame, 1.0))


def run(stage: SteerStage, state: Any, poses: Any, first: int = 0) -> tuple[Any, Any]:
    got = []
    for index, pose in enumerate(poses, first):
        (out,), state = stage.step(motion(index, pose), state)
        got.append(out.head.pose)
    return np.array(got), state


def moving(frames: int) -> Any:
    return REST + np.sin(np.arange(frames)[:, None] / 20) * np.array([3, 4, 5, 6, 7, 8])


def test_left_alone_nothing_is_touched() -> None:
    stage, given = SteerStage(REST), motion(0, REST + 3)
    out, _ = stage.step(given, stage.start())
    assert out == [given]
    assert out[0] is given


@pytest.mark.parametrize(
    ("steering", "axis", "sign"),
    [
        (Steering("fixed", yaw_deg=10), 0, 1),
        (Steering("fixed", pitch_deg=10), 1, -1),
        (Steering("fixed", x=50), 0, 1),
        (Steering("fixed", y=50), 1, -1),
    ],
)
def test_the_nose_moves_to_where_a_viewer_expects(
    steering: Steering, axis: int, sign: int, reference_bundle: Any, case_a: Any
) -> None:
    before, after = (seen(s, reference_bundle, case_a) for s in (Steering("fixed"), steering))
    assert sign * (after[NOSE_TIP] - before[NOSE_TIP])[axis] > 5


def seen(steering: Steering, reference_bundle: Any, case_a: Any) -> Any:
    """Pixels (73, 2) of the face under `steering`."""
    subject = reference_bundle("case_a")
    stage, project = SteerStage.from_subject(subject), ProjectStage.from_subject(subject)
    (out,), _ = stage.step(motion(0), stage.turn(stage.start(), steering))
    points = case_a.subject["mean_pts3d"].astype(np.float32)
    return project.step(FaceFrame(0, points, out.head.pose), None)[0][0].points


def test_roll_tilts_to_the_right_and_z_comes_closer(reference_bundle: Any, case_a: Any) -> None:
    level, tilted, closer = (
        seen(s, reference_bundle, case_a)
        for s in (Steering("fixed"), Steering("fixed", roll_deg=10), Steering("fixed", z=100))
    )
    assert tilted[BROWS, 0].mean() > level[BROWS, 0].mean() + 3
    assert tilted[CHIN, 0] < level[CHIN, 0] - 3
    assert np.ptp(closer[:, 0]) > 1.05 * np.ptp(level[:, 0])


def test_mirrored_motion_swaps_left_and_right_about_the_mean() -> None:
    stage = SteerStage(REST)
    poses = moving(40)
    got, _ = run(stage, stage.turn(stage.start(), Steering(mirror=True)), poses)
    np.testing.assert_allclose(got - REST, (poses - REST) * [1, -1, -1, -1, 1, 1], atol=1e-4)


def test_a_change_eases_in_and_out_again() -> None:
    stage = SteerStage(REST)
    poses = moving(120)
    free, state = run(stage, stage.start(), poses[:40])
    held, state = run(stage, stage.turn(state, Steering("fixed", yaw_deg=30)), poses[40:80], 40)
    again, state = run(stage, stage.turn(state, Steering()), poses[80:], 80)
    path = np.concatenate([free, held, again])
    assert np.abs(np.diff(path[:, 1])).max() < 1.5 * 34 / TRANSITION_FRAMES + 0.3
    np.testing.assert_allclose(held[TRANSITION_FRAMES:], np.repeat([REST - [0, 30, 0, 0, 0, 0]], 22, axis=0), atol=1e-3)
    np.testing.assert_allclose(again[TRANSITION_FRAMES:], poses[80 + TRANSITION_FRAMES :], atol=1e-4)


def test_a_track_plays_from_where_it_was_set_and_loops_without_a_jump() -> None:
    track = np.zeros((30, 6), np.float32)
    track[:, 0] = np.linspace(0, 29, 30)
    stage = SteerStage(REST)
    got, _ = run(stage, stage.turn(stage.start(), Steering("track", track=track)), moving(90))
    np.testing.assert_allclose(got[:30, 1], -track[:, 0], atol=1e-4)
    assert np.abs(np.diff(got[:, 1])).max() < 5
    np.testing.assert_allclose(got[50:60, 1], -track[20:30, 0], atol=1e-4)


def test_the_state_resumes_elsewhere_in_mid_transition() -> None:
    stage = SteerStage(REST)
    _, state = run(stage, stage.start(), moving(20))
    _, state = run(stage, stage.turn(state, Steering("fixed", roll_deg=9)), moving(5), 20)
    copied = pickle.loads(pickle.dumps(state))
    one, _ = run(stage, state, moving(30))
    other, _ = run(SteerStage(REST), copied, moving(30))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("mode", "fields", "message"),
    [
        ("fixed", {"yaw_deg": 91.0}, "yaw is 91"),
        ("fixed", {"z": float("nan")}, "z is nan"),
        ("track", {}, "needs the track"),
        ("sideways", {}, "Choose auto, fixed, hold or track"),
        ("track", {"track": np.zeros((3, 5), np.float32)}, r"shape \(3, 5\)"),
    ],
)
def test_impossible_steering_is_refused(mode: Literal["auto"], fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Steering(mode, **fields)


@pytest.mark.parametrize("heading", [False, True])
def test_tracks_are_read_from_text(tmp_path: Path, heading: bool) -> None:
    text = "yaw, pitch, roll, x, y, z\n" * heading + "1,2,3,4,5,6\n\n-1.5,0,0,0,0,1e1\n"
    (tmp_path / "a.csv").write_text(text)
    np.testing.assert_allclose(read_track(tmp_path / "a.csv"), [[1, 2, 3, 4, 5, 6], [-1.5, 0, 0, 0, 0, 10]])


def test_tracks_are_read_from_arrays(tmp_path: Path) -> None:
    track = np.arange(12.0).reshape(2, 6)
    np.save(tmp_path / "a.npy", track)
    np.savez(tmp_path / "one.npz", anything=track)
    np.savez(tmp_path / "two.npz", other=np.zeros(3), track=track)
    for name in ("a.npy", "one.npz", "two.npz"):
        got = read_track(tmp_path / name)
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, track)


def test_no_other_file_is_a_track(tmp_path: Path) -> None:
    def refuse(name: str, message: str) -> None:
        with pytest.raises(UsageError, match=message) as caught:
            read_track(tmp_path / name)
        assert name in str(caught.value)

    refuse("missing.npy", "No such file")
    (tmp_path / "a.txt").write_text("1,2,3,4,5,6")
    refuse("a.txt", "is a .npy, .npz or .csv")
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    refuse("objects.npy", "plain array")
    for name, content in {"torn.npy": b"\x93NUMPY", "torn.npz": b"PK\x03\x04no", "empty.npy": b""}.items():
        (tmp_path / name).write_bytes(content)
        refuse(name, "plain array")
    np.savez(tmp_path / "unnamed.npz", a=np.zeros((1, 6)), b=np.zeros((1, 6)))
    refuse("unnamed.npz", "track")
    for name, content, message in (
        ("words.csv", "1,2,3,4,5,x", "line 1: not numbers"),
        ("ragged.csv", "1,2,3,4,5,6\n1,2", "line 2: 2 columns"),
        ("empty.csv", "", "needs rows"),
        ("nan.csv", "1,2,3,4,5,nan", "row 1: z is nan"),
        ("wild.csv", "1,2,3,4,5,6\n1,200,3,4,5,6", "row 2: pitch is 200"),
    ):
        (tmp_path / name).write_text(content)
        refuse(name, message)


def test_a_held_head_stays_where_it_was() -> None:
    stage = SteerStage(REST)
    before, state = run(stage, stage.start(), moving(20))
    held, state = run(stage, stage.turn(state, Steering("hold")), moving(80)[20:], 20)
    np.testing.assert_allclose(held, np.repeat(before[-1:], 60, axis=0), atol=1e-4)
    fresh, _ = run(stage, stage.turn(stage.start(), Steering("hold")), moving(20))
    np.testing.assert_allclose(fresh, np.repeat(moving(1), 20, axis=0), atol=1e-4)


def test_the_head_is_told_as_it_was_asked_for() -> None:
    stage = SteerStage(REST)
    assert stage.seen(stage.start()) is None
    asked = Steering("fixed", yaw_deg=7, pitch_deg=-3, roll_deg=2, x=1, y=-4, z=5)
    _, state = run(stage, stage.turn(stage.start(), asked), moving(5))
    np.testing.assert_allclose(stage.seen(state), asked.fixed, atol=1e-9)


def test_a_manner_eases_in_and_out_and_leaves_the_head_alone() -> None:
    stage, wanted = SteerStage(REST), Manner(liveliness=0, mouth=1.5, shoulders=0.9, blinks=1)
    state, seen = stage.behave(stage.start(), wanted), []
    for frame in range(TRANSITION_FRAMES + 1):
        (out,), state = stage.step(motion(frame), state)
        seen.append(out.manner)
        np.testing.assert_array_equal(out.head.pose, REST)
    assert 1 < seen[0].mouth < 1.1
    assert (np.diff([m.mouth for m in seen[:9]]) > 0).all()
    assert seen[-1] == wanted
    state = stage.behave(state, AS_MADE)
    for frame in range(TRANSITION_FRAMES + 1):
        given = motion(frame)
        (out,), state = stage.step(given, state)
    assert out is given


@pytest.mark.parametrize("field", ["liveliness", "mouth", "shoulders", "blinks"])
@pytest.mark.parametrize("value", [-0.1, 3.1, float("nan"), float("inf")])
def test_an_impossible_manner_is_refused(field: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"{field} = .* from 0 to 3"):
        Manner(**{field: value})

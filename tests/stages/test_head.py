"""The head's pose: the reference numbers, and a stream with a bounded look-ahead."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from lsp_cam.errors import BundleError
from lsp_cam.packets import MOTION_FPS, HeadFrame, PoseFrame
from lsp_cam.stages.head import ClipHead, HeadConfig, LiveHead
from lsp_cam.stream import run_offline
from lsp_cam.subject import Subject

NOWHERE = np.zeros(3, np.float32)
SLACK_FRAMES = 3


def pose_frames(samples: Any) -> list[PoseFrame]:
    return [PoseFrame(i, row.astype(np.float32), np.zeros(25, np.float32)) for i, row in enumerate(samples)]


def stacked(frames: list[HeadFrame]) -> Any:
    return np.stack([f.pose for f in frames])


def test_a_clip_is_posed_as_published(case: Any, reference_bundle: Any) -> None:
    stage = ClipHead.from_subject(reference_bundle(case.name))
    got = list(run_offline(stage, pose_frames(case.expected["head_pred"])))
    assert [f.frame for f in got] == list(range(len(case.expected["headpose"])))
    np.testing.assert_allclose(stacked(got), case.expected["headpose"], rtol=0, atol=2.5e-4)
    np.testing.assert_allclose(stacked(got)[:, :3], case.expected["headpose"][:, :3], rtol=0, atol=2e-5)


def test_an_empty_clip_gives_nothing() -> None:
    assert list(run_offline(ClipHead(HeadConfig(), NOWHERE), [])) == []
    assert list(run_offline(LiveHead(HeadConfig(), NOWHERE, SLACK_FRAMES), [])) == []


@pytest.mark.parametrize("count", [1, 2, 3, 4, 50])
def test_live_gives_every_frame_as_soon_as_its_look_ahead_is_in(count: int) -> None:
    stage, state, left = LiveHead(HeadConfig(), NOWHERE, SLACK_FRAMES), None, []
    state = stage.start()
    for x in pose_frames(np.random.default_rng(1).normal(size=(count, 12))):
        out, state = stage.step(x, state)
        assert [y.frame for y in out] == ([x.frame - SLACK_FRAMES] if x.frame >= SLACK_FRAMES else [])
        left += out
    out, state = stage.flush(state)
    assert [y.frame for y in left + out] == list(range(count))
    assert state == stage.start()


def test_live_resumes_elsewhere(case_a: Any, reference_bundle: Any) -> None:
    stage = LiveHead.from_subject(reference_bundle("case_a"), SLACK_FRAMES)
    frames = pose_frames(case_a.expected["head_pred"])
    whole = stacked(list(run_offline(stage, frames)))
    state = stage.start()
    for x in frames[:77]:
        _, state = stage.step(x, state)
    state = pickle.loads(pickle.dumps(state))
    rest: list[HeadFrame] = []
    for x in frames[77:]:
        out, state = stage.step(x, state)
        rest += out
    rest += stage.flush(state)[0]
    np.testing.assert_array_equal(stacked(rest), whole[77 - SLACK_FRAMES :])


def test_live_lag_is_as_stated() -> None:
    stage = LiveHead(HeadConfig(smooth_rotation_frames=2, smooth_translation_frames=8), NOWHERE, SLACK_FRAMES)
    ramp = np.repeat(np.arange(200.0)[:, None], 12, axis=1)
    state, got = stage.start(), []
    for x in pose_frames(ramp):
        out, state = stage.step(x, state)
        got += out
    last = got[-1]
    trails = last.frame - (last.pose - np.array([180, 0, 0, 0, 0, 0]))
    np.testing.assert_allclose(trails, np.repeat(stage.lag_frames, 3), atol=1e-3)
    assert stage.lag_frames[0] < 1.0


def test_a_still_head_stays_where_it_is_live_and_as_published() -> None:
    config = HeadConfig(amplify_rotation=0.5, amplify_translation=2.0)
    still = np.repeat(np.arange(1.0, 13.0)[None], 20, axis=0)
    for stage in (ClipHead(config, NOWHERE + 100), LiveHead(config, NOWHERE + 100, SLACK_FRAMES)):
        got = stacked(list(run_offline(stage, pose_frames(still))))
        np.testing.assert_allclose(got, np.repeat([[180.5, 1, 1.5, 108, 110, 112]], 20, axis=0), rtol=1e-6)


def test_the_head_at_rest_is_the_amplified_mean() -> None:
    config = HeadConfig(amplify_rotation=0.5, mean_rotation_deg=(4, -2, 6))
    stage = LiveHead(config, np.array([1, 2, 3], np.float32))
    np.testing.assert_allclose(stage.rest_pose, [182, -1, 3, 1, 2, 3])
    np.testing.assert_array_equal(ClipHead(config, np.array([1, 2, 3], np.float32)).rest_pose, stage.rest_pose)


@pytest.mark.parametrize("live", [True, False])
def test_a_head_that_is_held_to_one_side_comes_back_and_still_nods(live: bool) -> None:
    config = HeadConfig(mean_rotation_deg=(4, -2, 6), recentre_s=4.0, smooth_rotation_frames=1.0)
    stage: Any = (LiveHead if live else ClipHead)(config, NOWHERE + 50)
    frames = np.arange(30 * MOTION_FPS)
    nod = 2 * np.sin(2 * np.pi * frames / MOTION_FPS)  # one a second
    held = np.tile([9.0, -2, 6, 3, 0, 0], (len(frames), 2)) + np.eye(12)[0] * nod[:, None]
    got = stacked(list(run_offline(stage, pose_frames(held))))
    np.testing.assert_allclose(got[0], [189, -2, 6, 53, 50, 50], atol=0.2)
    late = got[-5 * MOTION_FPS :] - stage.rest_pose
    np.testing.assert_allclose(late.mean(axis=0), 0, atol=0.05)
    assert np.ptp(late[:, 0]) == pytest.approx(4, rel=0.1)


def test_a_setting_out_of_range_is_a_damaged_bundle(reference_bundle: Any) -> None:
    subject = reference_bundle("case_a")
    settings = {**subject.manifest.settings, "head": {"smooth_rotation_frames": -1}}
    broken = Subject(subject.root, subject.manifest.model_copy(update={"settings": settings}))
    with pytest.raises(BundleError, match=r"head\.smooth_rotation_frames"):
        LiveHead.from_subject(broken)

"""The whole chain: one answer whatever the chunks, a state that travels, and landmarks that are on time."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from lsp_cam.backends.ort import OrtEngine
from lsp_cam.packets import AudioChunk, LandmarkFrame, frame_start_sample, frames_in
from lsp_cam.pipeline import Pipeline, PipelineConfig
from lsp_cam.stages.steer import Steering
from lsp_cam.stream import chunked, run_offline

ENGINE = OrtEngine(threads=1)
SECONDS = 2


@pytest.fixture(scope="module")
def speech(case_a: Any) -> np.ndarray[Any, Any]:
    """Speech between two silences."""
    silence = np.zeros(4_000, np.float32)
    return np.concatenate([silence, case_a.expected["audio"][: SECONDS * 16_000 - 8_000], silence])


@pytest.fixture(scope="module")
def live(reference_bundle: Any) -> Pipeline:
    return Pipeline(reference_bundle(), ENGINE, PipelineConfig(smoothing="live", seed=3))


@pytest.fixture(scope="module")
def whole(live: Pipeline, speech: Any) -> list[LandmarkFrame]:
    return list(run_offline(live.motion, chunked(speech, len(speech))))


def assert_same(got: list[LandmarkFrame], wanted: list[LandmarkFrame]) -> None:
    assert [x.frame for x in got] == [x.frame for x in wanted]
    for name in ("points", "shoulders"):
        ours, theirs = (np.stack([getattr(x, name) for x in y]) for y in (got, wanted))
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-3)  # pixels of a 512 px picture


@pytest.mark.parametrize("size", [1, 7, 160, 267, 4096])
def test_chunks_do_not_matter(live: Pipeline, speech: Any, whole: list[LandmarkFrame], size: int) -> None:
    assert_same(list(run_offline(live.motion, chunked(speech, size))), whole)


def test_random_chunks_do_not_matter(live: Pipeline, speech: Any, whole: list[LandmarkFrame]) -> None:
    cuts = np.sort(np.random.default_rng(1).integers(0, len(speech), 60))
    chunks = [AudioChunk(part) for part in np.split(speech, cuts)]
    assert_same(list(run_offline(live.motion, chunks)), whole)


@pytest.mark.parametrize("carry", [copy.deepcopy, lambda state: pickle.loads(pickle.dumps(state))])
def test_a_state_resumes_elsewhere(
    reference_bundle: Any, live: Pipeline, speech: Any, whole: list[LandmarkFrame], carry: Any
) -> None:
    elsewhere = Pipeline(reference_bundle(), ENGINE, PipelineConfig(smoothing="live", seed=99))
    state = live.motion.start()
    got: list[LandmarkFrame] = []
    half = len(speech) // 2 + 17
    for chunk in chunked(speech[:half], 533):
        some, state = live.motion.step(chunk, state)
        got += some
    kept = carry(state)
    live.motion.step(AudioChunk(np.ones(5_000, np.float32)), state)  # what goes on here must not matter there
    for chunk in chunked(speech[half:], 160):
        some, kept = elsewhere.motion.step(chunk, kept)
        got += some
    assert_same(got + elsewhere.motion.flush(kept)[0], whole)


def test_frames_come_as_soon_as_the_look_ahead_says(live: Pipeline, speech: Any) -> None:
    state = live.motion.start()
    fed = 0
    for chunk in chunked(speech, 160):
        frames, state = live.motion.step(chunk, state)
        fed += len(chunk.samples)
        for frame in frames:
            first = frame_start_sample(frame.frame | 1)  # frames leave in pairs, with the second one
            assert fed >= first + live.look_ahead_samples - 1
            assert fed < first + live.look_ahead_samples + 160 + 512  # a chunk, and a window of the voice detector


def test_live_gives_every_frame_and_published_those_with_a_pose(
    reference_bundle: Any, whole: list[LandmarkFrame], speech: Any
) -> None:
    assert [x.frame for x in whole] == list(range(frames_in(len(speech))))
    published = Pipeline(reference_bundle(), ENGINE, PipelineConfig(smoothing="published"))
    got = list(run_offline(published.motion, chunked(speech, 4096)))
    assert [x.frame for x in got] == list(range(frames_in(len(speech)) - 15))


def test_the_same_seed_is_the_same_motion_and_another_is_not(
    reference_bundle: Any, speech: Any, whole: list[LandmarkFrame]
) -> None:
    def motion(seed: int) -> list[LandmarkFrame]:
        pipeline = Pipeline(reference_bundle(), ENGINE, PipelineConfig(seed=seed))
        return list(run_offline(pipeline.motion, chunked(speech, 533)))

    assert_same(motion(3), whole)
    assert max(np.abs(a.points - b.points).max() for a, b in zip(motion(4), whole, strict=True)) > 0.5


def test_steering_holds_the_head_still(live: Pipeline, speech: Any) -> None:
    state = live.steer(live.motion.start(), Steering(mode="fixed", yaw_deg=5))
    frames, state = live.motion.step(AudioChunk(speech), state)
    frames += live.motion.flush(state)[0]
    noses = np.stack([f.points[35:44] for f in frames])
    assert np.abs(noses - noses[0]).max() < 0.01


def test_idle_is_a_portrait(live: Pipeline) -> None:
    frame = live.render(live.draw(live.idle()))
    assert frame.pixels.shape == (live.size, live.size, 3)
    assert frame.pixels.dtype == np.uint8

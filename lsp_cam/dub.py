"""Offline rendering: a recording in, the pictures of the portrait that speaks it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from .errors import UsageError
from .packets import AS_MADE, MOTION_FPS, Float32, Frame, LandmarkFrame, Manner, frame_start_sample, frames_in
from .pipeline import MotionState, Pipeline
from .stages.steer import Steering
from .stream import chunked

CHUNK_SAMPLES = 32_000  # a network's weights are read from memory once for all frames of a chunk


def picture_frame(picture: int, fps: int) -> int:
    """The motion frame that picture `picture` of an `fps` stream shows: the one in the middle of its time."""
    return (2 * picture + 1) * MOTION_FPS // (2 * fps)


def check_fps(fps: int) -> int:
    """`fps` itself; UsageError unless it is 1 to 60, the rate of motion."""
    if not 1 <= fps <= MOTION_FPS:
        raise UsageError(f"--fps {fps}: choose a rate from 1 to {MOTION_FPS}.")
    return fps


def picture_count(samples: int, fps: int) -> int:
    """How many pictures cover `samples` samples of speech."""
    frames = frames_in(samples)
    count = frames * fps // MOTION_FPS
    return count + (picture_frame(count, fps) < frames)


def picture_of(frame: int, fps: int) -> int | None:
    """The picture of an `fps` stream that shows motion frame `frame`; None if none does."""
    picture = frame * fps // MOTION_FPS
    return picture if picture_frame(picture, fps) == frame else None


def begin(pipeline: Pipeline, steering: Steering | None = None, manner: Manner = AS_MADE) -> MotionState:
    """The state before the first sample."""
    state = pipeline.motion.start()
    if steering is not None:
        state = pipeline.steer(state, steering)
    return pipeline.behave(state, manner)


def hear(
    pipeline: Pipeline, samples: Float32, state: MotionState, last: bool
) -> tuple[list[LandmarkFrame], MotionState]:
    """The landmarks that come out while the next `samples` (S,) are heard; `last`: no more will come.

    Pieces of a whole number of chunks give what all in one piece gives, to the last bit.
    In published smoothing the last 15 frames have no head pose, so silence is added for them to come out of.
    """
    if last and pipeline.config.smoothing == "published":
        silence = np.zeros(frame_start_sample(pipeline.look_ahead_frames), np.float32)
        samples = np.concatenate([samples, silence])
    heard: list[LandmarkFrame] = []
    for chunk in chunked(samples, CHUNK_SAMPLES):
        landmarks, state = pipeline.motion.step(chunk, state)
        heard += landmarks
    if last:
        landmarks, state = pipeline.motion.flush(state)
        heard += landmarks
    return heard, state


def shown(landmarks: Iterable[LandmarkFrame], samples: int, fps: int) -> list[LandmarkFrame]:
    """Those that the pictures for `samples` samples of speech show."""
    wanted = picture_count(samples, fps)
    places = ((landmark, picture_of(landmark.frame, fps)) for landmark in landmarks)
    return [landmark for landmark, picture in places if picture is not None and picture < wanted]


def pieces(samples: Float32, size: int) -> Iterator[tuple[Float32, bool]]:
    """`samples` (S,) in pieces of `size`, and whether each is the last."""
    for start in range(0, len(samples), size):
        yield samples[start : start + size], start + size >= len(samples)


def check_length(samples: Float32, fps: int) -> None:
    """UsageError if there is not even one picture to show."""
    if picture_count(len(samples), check_fps(fps)) == 0:
        raise UsageError("The audio is shorter than one picture: there is nothing to show.")


def dub(
    pipeline: Pipeline, samples: Float32, fps: int, steering: Steering | None = None, manner: Manner = AS_MADE
) -> Iterator[Frame]:
    """The pictures, in order, for `samples` (S,) 16 kHz; as many as `picture_count` says."""
    check_length(samples, fps)
    state = begin(pipeline, steering, manner)
    for piece, last in pieces(samples, CHUNK_SAMPLES):
        landmarks, state = hear(pipeline, piece, state, last)
        for landmark in shown(landmarks, len(samples), fps):
            yield pipeline.render(pipeline.draw(landmark))

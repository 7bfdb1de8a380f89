"""Offline rendering: a recording in, the pictures of the portrait that speaks it out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .errors import UsageError
from .packets import AS_MADE, MOTION_FPS, Float32, Frame, Manner, frame_start_sample, frames_in
from .pipeline import Pipeline
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


def dub(
    pipeline: Pipeline, samples: Float32, fps: int, steering: Steering | None = None, manner: Manner = AS_MADE
) -> Iterator[Frame]:
    """The pictures, in order, for `samples` (S,) 16 kHz; as many as `picture_count` says.

    In published smoothing the last 15 frames have no head pose, so silence is added for them to come out of.
    """
    check_fps(fps)
    wanted = picture_count(len(samples), fps)
    if wanted == 0:
        raise UsageError("The audio is shorter than one picture: there is nothing to show.")
    if pipeline.config.smoothing == "published":
        silence = np.zeros(frame_start_sample(pipeline.look_ahead_frames), np.float32)
        samples = np.concatenate([samples, silence])
    state = pipeline.motion.start()
    if steering is not None:
        state = pipeline.steer(state, steering)
    state = pipeline.behave(state, manner)
    picture = 0
    for chunk in (*chunked(samples, CHUNK_SAMPLES), None):
        step = pipeline.motion.step(chunk, state) if chunk is not None else pipeline.motion.flush(state)
        landmarks, state = step
        for landmark in landmarks:
            while picture < wanted and picture_frame(picture, fps) == landmark.frame:
                yield pipeline.render(pipeline.draw(landmark))
                picture += 1

"""A subject on stage: its pipeline, the state of its chain, and where it stands in the daemon's own time.

Samples and frames are counted from the daemon's first sample on, whichever subject shows them.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np

from ..packets import MOTION_FPS, SAMPLE_RATE_HZ, AudioChunk, Float32, LandmarkFrame, Manner, PoseKey, UInt8
from ..pipeline import MotionState, Pipeline
from ..stages.steer import Steering
from .delays import Made

HISTORY_S = 8.0
WARM_UP_S = 2.0
CLOSE_S = 0.1
MAX_CHASES = 4
# The shortest stretch of whole samples and whole motion frames: 3 frames are 800 samples.
ALIGNMENT_SAMPLES = 800


@dataclass(frozen=True, slots=True)
class Due:
    """A picture to render, of the subject that spoke when it became due, at `due_s` (monotonic)."""

    pipeline: Pipeline
    landmarks: LandmarkFrame
    due_s: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A rendered picture (H, W, 3); `frame` is None for the idle portrait before the first word.

    `badge`: the words that it must carry when it leaves; "" for none. `made`: when it was rendered.
    """

    pixels: UInt8
    frame: int | None
    badge: str = ""
    made: Made | None = None


class History:
    """The speech of the last seconds, by sample index. Written by one thread, read by another."""

    def __init__(self, seconds: float = HISTORY_S) -> None:
        self._size = int(seconds * SAMPLE_RATE_HZ)
        self._blocks: deque[tuple[int, Float32]] = deque()
        self.end = 0

    def add(self, samples: Float32) -> None:
        """Append the next samples."""
        self._blocks.append((self.end, samples))
        self.end += len(samples)
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) < self.end - self._size:
            self._blocks.popleft()

    @property
    def start(self) -> int:
        """The oldest sample that is kept."""
        return self._blocks[0][0] if self._blocks else self.end

    def since(self, first: int) -> Float32:
        """The samples from `first` to now; silence for those that are not kept any more."""
        blocks = self._blocks.copy()
        parts = [samples[max(first - start, 0) :] for start, samples in blocks if start + len(samples) > first]
        if parts and blocks[0][0] > first:
            parts.insert(0, np.zeros(blocks[0][0] - first, np.float32))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


@dataclass(slots=True)
class Show:
    """A pipeline at work. `first_frame`: the daemon's number of its frame 0; `heard`: the next sample it needs;
    `last_frame`: the last one that it gave; `on_air` is set when the camera gets its pictures."""

    pipeline: Pipeline
    state: MotionState
    first_frame: int = 0
    heard: int = 0
    last_frame: int = -1
    on_air: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def begin(cls, pipeline: Pipeline, sample: int = 0) -> Show:
        """A fresh show from `sample`, a multiple of ALIGNMENT_SAMPLES, on."""
        assert sample % ALIGNMENT_SAMPLES == 0, "shows begin on a whole frame"
        first = sample * MOTION_FPS // SAMPLE_RATE_HZ
        return cls(pipeline, pipeline.motion.start(), first, sample, first - 1)

    def hear(self, samples: Float32) -> list[LandmarkFrame]:
        """Take the next samples; gives the motion frames that are ready, in the daemon's count."""
        frames, self.state = self.pipeline.motion.step(AudioChunk(samples), self.state)
        self.heard += len(samples)
        return self._numbered(frames)

    def finish(self) -> list[LandmarkFrame]:
        """The frames that were held back for speech which will not come."""
        frames, self.state = self.pipeline.motion.flush(self.state)
        return self._numbered(frames)

    def steer(self, steering: Steering) -> None:
        """Put the head under `steering` from the next frame on."""
        self.state = self.pipeline.steer(self.state, steering)

    def follow(self, key: PoseKey) -> None:
        """Let the head be led by `key`, too, whose frame is in the daemon's count."""
        self.state = self.pipeline.follow(self.state, replace(key, at=key.at - self.first_frame))

    def behave(self, manner: Manner) -> None:
        """Do things in this manner from the next frame on."""
        self.state = self.pipeline.behave(self.state, manner)

    @property
    def head(self) -> tuple[float, ...] | None:
        """Where the head is; see `Pipeline.head`."""
        return self.pipeline.head(self.state)

    def _numbered(self, frames: list[LandmarkFrame]) -> list[LandmarkFrame]:
        numbered = [replace(f, frame=f.frame + self.first_frame) for f in frames]
        if numbered:
            self.last_frame = numbered[-1].frame
        return numbered


def warmed(pipeline: Pipeline, history: History) -> Show:
    """A show that has heard the last seconds of `history`, up to a moment ago.

    On a busy machine that moment may be a second: chasing the present any longer would not bring it closer.
    """
    sample = max(history.end - int(WARM_UP_S * SAMPLE_RATE_HZ), history.start)
    show = Show.begin(pipeline, -(-sample // ALIGNMENT_SAMPLES) * ALIGNMENT_SAMPLES)
    for _ in range(MAX_CHASES):
        fresh = history.since(show.heard)
        show.hear(fresh)
        if len(fresh) < CLOSE_S * SAMPLE_RATE_HZ:
            break
    return show


def idle_picture(pipeline: Pipeline) -> UInt8:
    """The portrait at rest. The first call also makes the renderer ready, which takes longest."""
    return pipeline.render(pipeline.draw(pipeline.idle())).pixels

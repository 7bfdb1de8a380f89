"""Twins of devices that are not there: silence that keeps time, sinks that count or keep frames or the voice."""

from __future__ import annotations

import time

import numpy as np

from ..packets import SAMPLE_RATE_HZ, Float32, UInt8
from .base import BLOCK_SAMPLES, AudioBlock, Closing, SourceState
from .pace import Pacer


class NullSource(Closing):
    """Silence in real time (see `base.AudioSource`); `speed` scales time (None: no waiting)."""

    name = "silence"
    reconnects = 0

    def __init__(self, speed: float | None = 1.0) -> None:
        self._pacer = Pacer(speed)
        self._closed = False

    @property
    def state(self) -> SourceState:
        return "ended" if self._closed else "silent"

    @property
    def overflows(self) -> int:
        return self._pacer.overflows

    def read(self, timeout_s: float) -> AudioBlock | None:
        """The next 10 ms of silence, when they are over."""
        if self._closed:
            return None
        due = self._pacer.wait(BLOCK_SAMPLES, timeout_s)
        if due is None:
            return None
        return AudioBlock(np.zeros(BLOCK_SAMPLES, np.float32), due.captured_s, due.skipped_samples > 0)

    def close(self) -> None:
        self._closed = True


class NullSink(Closing):
    """Counts frames. `count` sent; `last_s` when the last came (monotonic seconds, None before the first)."""

    wants_frames = True

    def __init__(self) -> None:
        self.count = 0
        self.last_s: float | None = None
        self.size: tuple[int, int] | None = None
        self.fps = 0.0

    def open(self, width: int, height: int, fps: float) -> None:
        self.size = (width, height)
        self.fps = fps

    def send(self, rgb: UInt8) -> None:
        self.count += 1
        self.last_s = time.monotonic()

    def close(self) -> None:
        self.size = None

    def describe(self) -> str:
        return "nowhere"


class ListSink(NullSink):
    """Keeps copies of all frames, as they were sent, in `frames`: for tests."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[UInt8] = []

    def send(self, rgb: UInt8) -> None:
        super().send(rgb)
        self.frames.append(rgb.copy())

    def describe(self) -> str:
        return "a list"


class ListVoice(Closing):
    """A virtual microphone that keeps what it hears (see `base.AudioSink`): `blocks` of (when heard, samples).

    Its clock runs `skew` faster than the machine's (0.0003: 300 ppm), and it holds `buffer_s` of sound.
    """

    def __init__(self, buffer_s: float = 0.04, skew: float = 0.0) -> None:
        self.blocks: list[tuple[float, Float32]] = []
        self._buffer_s = buffer_s
        self._rate_hz = SAMPLE_RATE_HZ * (1 + skew)
        self._free_s = 0.0

    def open(self) -> None:
        self._free_s = time.monotonic()

    def write(self, samples: Float32) -> None:
        time.sleep(max(self.latency_s - self._buffer_s, 0.0))
        heard_s = time.monotonic() + self.latency_s
        self.blocks.append((heard_s, samples.copy()))
        self._free_s = heard_s + len(samples) / self._rate_hz

    @property
    def latency_s(self) -> float:
        return max(self._free_s - time.monotonic(), 0.0)

    def close(self) -> None:
        """Nothing to let go."""

    def describe(self) -> str:
        return "list"

"""The voice beside the picture: speech leaves for the virtual microphone when its frame leaves for the camera.

Every sample of the speech has a time at which it was captured (`clock`); a picture leaves a measured delay after its
speech. So it is known which sample ought to be heard at any moment. The worker reads the speech a little faster or
slower, by sub-sample interpolation, to stay there: clocks that drift apart never make it click.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..devices.base import BLOCK_SAMPLES, AudioSink
from ..errors import DeviceError
from ..packets import SAMPLE_RATE_HZ, Float32
from .clock import AudioClock
from .show import History
from .stats import Ring

LOG = logging.getLogger(__name__)
TAPS, PHASES, KAISER_BETA = 32, 256, 8.0
PULL_S = 2.0  # an offset is made up for within about this time
MOST = 5e-3  # of the speed: nobody hears it
JUMP_S = 0.08  # an offset that would take too long to make up for is jumped over, with a cross-fade
SMOOTH = 0.02
FADE = np.linspace(0, 1, BLOCK_SAMPLES, dtype=np.float32)
RETRY_S = 2.0
DELAY_EVERY_S = 0.5


def _windowed_sinc() -> NDArray[np.float32]:
    """Rows (PHASES + 1, TAPS): the interpolation filter for a place between two samples."""
    places = np.arange(TAPS) - (TAPS // 2 - 1) - np.arange(PHASES + 1)[:, None] / PHASES
    reach = np.clip(1 - (places / (TAPS / 2)) ** 2, 0, None)
    rows = np.sinc(places) * np.i0(KAISER_BETA * np.sqrt(reach)) / np.i0(KAISER_BETA)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True), np.float32)


_FILTER = _windowed_sinc()


def read_between(history: History, first: float, step: float, count: int) -> Float32:
    """Samples (count,) of the speech at `first`, `first + step` …, which need not be whole; silence where none is."""
    places = first + step * np.arange(count)
    whole = np.floor(places).astype(np.int64)
    start = int(whole[0]) - (TAPS // 2 - 1)
    needed = int(whole[-1]) - start + TAPS // 2 + 1
    before = min(max(-start, 0), needed)
    known = history.since(max(start, 0))[: needed - before]
    around = np.zeros(needed, np.float32)
    around[before : before + len(known)] = known
    phases = (places - whole) * PHASES
    lower = phases.astype(np.int64)
    share = (phases - lower).astype(np.float32)[:, None]
    filters = _FILTER[lower] * (1 - share) + _FILTER[lower + 1] * share
    taps = around[(whole - whole[0])[:, None] + np.arange(TAPS)]
    return np.asarray(np.einsum("nt,nt->n", taps, filters), np.float32)


class Voice:
    """Which sample is heard next, and how far that is from what the picture wants.

    `offset_s`: how much later than its picture the voice is heard. The worker writes, anybody reads.
    """

    def __init__(self, history: History, clock: AudioClock, first_delay_s: float) -> None:
        self._history = history
        self._clock = clock
        self.delay_s = first_delay_s
        self.offset_s = Ring()
        self.jumps = 0
        self.problem: str | None = "It is being made."
        self.silent = False
        """Whether nothing is to be heard: the speech is somebody else's, who would hear it come back."""
        self._place: float | None = None
        self._pull_s = 0.0

    @property
    def correction_ppm(self) -> float:
        """How much faster than recorded the voice runs at the moment."""
        return 1e6 * self._speed()

    def aim(self, picture_delay_s: float | None) -> None:
        """Pictures leave `picture_delay_s` after their speech was captured."""
        if picture_delay_s is not None:
            self.delay_s = picture_delay_s

    def next(self, heard_s: float) -> Float32:
        """The block of which the first sample will be heard at `heard_s` (monotonic)."""
        wanted = self._clock.sample_at(heard_s - self.delay_s)
        if wanted is None:
            return np.zeros(BLOCK_SAMPLES, np.float32)
        if self._place is None:
            self._place = wanted
        late_s = (wanted - self._place) / SAMPLE_RATE_HZ
        self._pull_s += SMOOTH * (late_s - self._pull_s)
        self.offset_s.add(late_s)
        if abs(late_s) > JUMP_S:
            return self._jump(wanted)
        step = 1 + self._speed()
        block = read_between(self._history, self._place, step, BLOCK_SAMPLES)
        self._place += step * BLOCK_SAMPLES
        return block

    def _jump(self, wanted: float) -> Float32:
        assert self._place is not None
        old, new = (read_between(self._history, place, 1.0, BLOCK_SAMPLES) for place in (self._place, wanted))
        self._place, self._pull_s = wanted + BLOCK_SAMPLES, 0.0
        self.jumps += 1
        return old * (1 - FADE) + new * FADE

    def _speed(self) -> float:
        return float(np.clip(self._pull_s / PULL_S, -MOST, MOST))


def speak(sink: AudioSink, voice: Voice, picture_delay_s: Callable[[], float | None], stop: threading.Event) -> None:
    """Write the voice without end. A microphone that goes away is made again every `RETRY_S`."""
    asked_s = -np.inf
    while not stop.is_set():
        try:
            if voice.problem is not None:
                sink.open()
                LOG.info("the voice goes to %s", sink.describe())
                voice.problem = None
            now_s = time.monotonic()
            if now_s - asked_s > DELAY_EVERY_S:
                voice.aim(picture_delay_s())
                asked_s = now_s
            block = voice.next(now_s + sink.latency_s)
            sink.write(np.zeros_like(block) if voice.silent else block)
        except DeviceError as error:
            if voice.problem != str(error):
                LOG.warning("the virtual microphone failed: %s", error)
            voice.problem = str(error)
            stop.wait(RETRY_S)

"""Who listens to a sound server, and when each sample was heard; how much later one heard what another did."""

from __future__ import annotations

import base64
import threading
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pasimple
import soxr
from numpy.typing import NDArray
from playwright.sync_api import Page
from scipy.ndimage import uniform_filter1d
from scipy.signal import correlate

from .pulse import PulseServer

RATE = 16_000
BLOCK = 160
WINDOW_S = 4.0
MOST_LAG_S = 1.0
WITHIN_S = 0.02
LIKENESS = 0.5  # a voice that jumps within a window is still told by most of it
LISTEN = Path(__file__).with_name("listen.js")
Samples = NDArray[np.float32]
Sound = tuple[float, Samples]
"""When the first sample was heard (monotonic, s), and samples (N,) at `RATE`."""


@dataclass
class Heard:
    """Sound as it came: blocks, and when the first sample of each was heard, in monotonic seconds."""

    rate_hz: int = RATE
    blocks: list[Samples] = field(default_factory=list)
    begun_s: list[float] = field(default_factory=list)

    def add(self, begun_s: float, samples: Samples) -> None:
        """The next block."""
        self.blocks.append(samples)
        self.begun_s.append(begun_s)

    def between(self, from_s: float, to_s: float) -> Sound:
        """What was heard then, at `RATE`. A single block may come at an odd moment; all of them do not."""
        begun = np.asarray(self.begun_s)
        chosen = np.flatnonzero((begun >= from_s) & (begun < to_s))
        if not len(chosen):
            return from_s, np.zeros(0, np.float32)
        blocks = [self.blocks[k] for k in chosen]
        places = np.cumsum([0, *(len(block) for block in blocks)])[:-1]
        first_s = float(np.median(begun[chosen] - places / self.rate_hz))
        samples = np.concatenate(blocks)
        return first_s, samples if self.rate_hz == RATE else soxr.resample(samples, self.rate_hz, RATE)

    def all(self) -> Sound:
        """All of it."""
        return self.between(-np.inf, np.inf)


class Ear(threading.Thread):
    """Hears a source of the server and knows when each sample was heard."""

    def __init__(self, pulse: PulseServer, source: str) -> None:
        super().__init__(daemon=True)
        self._stream = pasimple.PaSimple(
            pasimple.PA_STREAM_RECORD, pasimple.PA_SAMPLE_S16LE, 1, RATE, "ear",
            server_name=pulse.environ["PULSE_SERVER"], device_name=source, fragsize=2 * BLOCK,
        )  # fmt: skip
        self.heard = Heard()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            block = np.frombuffer(self._stream.read(2 * BLOCK), "<i2").astype(np.float32)
            ended_s = time.monotonic() - self._stream.get_latency() / 1e6
            self.heard.add(ended_s - BLOCK / RATE, block)

    def finish(self) -> Heard:
        """All that was heard."""
        self._over.set()
        self.join(5)
        self._stream.close()
        return self.heard


class BrowserEar:
    """A page that takes a microphone as a meeting does, and what it hears there.

    Chromium stamps sound with the time at which it was captured, on the page's clock, which is the machine's.
    """

    def __init__(self, page: Page, microphone: str) -> None:
        self._page = page
        page.evaluate(LISTEN.read_text())
        self.settings: dict[str, Any] = page.evaluate("(name) => listenTo(name)", microphone)
        self._origin_s = self._page_origin_s()
        self.heard = Heard(0)
        self.late_s: list[float] = []
        """How long after its capture the page had each block."""

    def collect(self) -> None:
        """Take what the page has heard since the last time."""
        for stamp_us, arrived_ms, rate_hz, data in self._page.evaluate("takeHeard()"):
            self.heard.rate_hz = rate_hz
            samples = np.frombuffer(base64.b64decode(data), "<i2").astype(np.float32)
            self.heard.add(self._origin_s + stamp_us / 1e6, samples)
            self.late_s.append(arrived_ms / 1e3 - stamp_us / 1e6)

    def _page_origin_s(self) -> float:
        """The monotonic time of the page's zero, from the quickest of many answers."""
        answers = []
        for _ in range(100):
            asked_s = time.monotonic()
            now_ms = self._page.evaluate("performance.now()")
            answered_s = time.monotonic()
            answers.append((answered_s - asked_s, (asked_s + answered_s) / 2 - now_ms / 1e3))
        took_s, origin_s = min(answers)
        assert took_s < 0.02, "the page's clock cannot be read well enough"
        return origin_s


def loudness(samples: Samples) -> Samples:
    """How loud it is around each sample. What was read a little faster or slower has lost its phase, but not this."""
    swell = uniform_filter1d(np.abs(samples), RATE // 100)
    return swell - swell.mean()


def lag_s(spoken: Sound, heard: Sound, likeness: float = 0.7) -> float | None:
    """How much later what was `spoken` was `heard`; None where it is not the same sound, or too torn to tell."""
    if not len(spoken[1]) or not len(heard[1]):
        return None
    one, other = loudness(spoken[1]), loudness(heard[1])
    match = correlate(other, one, method="fft")
    if match.max() <= likeness * np.linalg.norm(one) * np.linalg.norm(other):
        return None
    return heard[0] - spoken[0] + float(int(match.argmax()) - (len(one) - 1)) / RATE


def babble(path: Path, seconds: float) -> Path:
    """A WAV file of noise whose loudness is never the same twice."""
    rng = np.random.default_rng(0)
    swell = np.repeat(rng.uniform(0, 0.4, int(seconds * 20)), RATE // 20)
    samples = rng.uniform(-1, 1, len(swell)) * swell
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


class LipSync:
    """The delay of the voice, from one ear to another, against that of the pictures, window by window."""

    def __init__(self, spoken: Ear, listener: BrowserEar, picture_delay_s: Callable[[], float]) -> None:
        self._spoken, self.listener, self._picture_delay_s = spoken, listener, picture_delay_s
        self._next_s = time.monotonic()
        self.torn = 0
        self.at_s: list[float] = []
        self.voice_s: list[float] = []
        self.pictures_s: list[float] = []

    def look(self) -> None:
        """Take what was heard; when a window is full, measure it: by the pictures' time codes of that moment."""
        self.listener.collect()
        begin_s = self._next_s
        if time.monotonic() < begin_s + WINDOW_S + 2 * MOST_LAG_S:
            return
        self._next_s += WINDOW_S
        pictures_s = self._picture_delay_s()
        end_s = begin_s + WINDOW_S
        spoken = self._spoken.heard.between(begin_s, end_s)
        voice_s = lag_s(spoken, self.listener.heard.between(begin_s, end_s + MOST_LAG_S), LIKENESS)
        if voice_s is None:
            self.torn += 1
            return
        self.at_s.append(begin_s)
        self.voice_s.append(voice_s)
        self.pictures_s.append(pictures_s)

    def offset_s(self, last: int = 0) -> float:
        """The median offset, of the `last` windows or of all."""
        return float(np.median(self.offsets_s[-last:]))

    def holds(self) -> bool:
        """Whether, by now, voice and pictures are within `WITHIN_S` of each other: the median of five windows."""
        self.look()
        return len(self.at_s) >= 5 and abs(self.offset_s(5)) < WITHIN_S

    @property
    def offsets_s(self) -> NDArray[np.float64]:
        """How much later than the pictures the voice came, window by window."""
        return np.array(self.voice_s) - np.array(self.pictures_s)

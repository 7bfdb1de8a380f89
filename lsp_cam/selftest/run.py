"""The test itself. As on air, sound is captured at a time of its own, its picture is shown a delay later, and the voice
is heard with the picture: the very worker that delays the voice on air delays the clicks here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..daemon.clock import AudioClock
from ..daemon.crew import Crew
from ..daemon.show import History
from ..daemon.voice import Voice, speak
from ..devices.base import BLOCK_S, BLOCK_SAMPLES, AudioSink, FrameSink
from ..packets import SAMPLE_RATE_HZ
from .back import Ear, Eye, Look
from .pattern import clicks, onsets, picture

DELAY_S = 0.5
SETTLE_S = 3.0
FIRST_S = 60.0
FLASH_TO_CLICK_S = 0.4  # a click further from every flash belongs to none


@dataclass(frozen=True)
class Findings:
    """What came back. `camera`, `voice`: what they are; `voice` None: there is none. Times are milliseconds.

    `fps`: new pictures seen a second; `delay_ms`: from sending a picture to seeing it (median, 95 %); `jitter_ms`: how
    far the time between two pictures is from even (95 %); `flashes`, `clicks`: how many were seen, heard; `offset_ms`:
    how much later than its flash a click was heard (median), `spread_ms`: the largest distance from that.
    """

    camera: str
    voice: str | None
    read_back: str
    fps_wanted: int
    fps: float
    delay_ms: tuple[float, float] | None
    jitter_ms: float | None
    flashes: int
    clicks: int
    offset_ms: float | None
    spread_ms: float | None

    @property
    def ok(self) -> bool:
        """Whether all that was sent came back."""
        return self.flashes > 0 and (self.voice is None or self.offset_ms is not None)


@dataclass(frozen=True)
class Back:
    """How a camera is read back: the name of the way, and what opens it once the camera is open."""

    name: str
    seen: Callable[[], AbstractContextManager[Look]]


@dataclass
class Sent:
    """When each picture was sent."""

    at_s: dict[int, float]


def selftest(
    camera: FrameSink, back: Back, voice: AudioSink | None, seconds: float, size: tuple[int, int], fps: int
) -> Findings:
    """Send the pattern for `seconds` and tell what came back.

    `camera` is read back through `back`; `voice` is heard as LSP Mic. Raises DeviceError if one cannot be used.
    """
    stop = threading.Event()
    crew = Crew(stop)
    clock, history, sent = AudioClock(), History(), Sent({})
    player = Voice(history, clock, DELAY_S)
    camera.open(*size, fps)
    crew.run("sound", lambda: _capture(history, clock, stop))
    crew.run("film", lambda: _film(camera, clock, sent, size, fps, stop))
    if voice is not None:
        crew.run("voice", lambda: speak(voice, player, lambda: DELAY_S, stop))
    try:
        with ExitStack() as stack:
            eye = Eye(stack.enter_context(back.seen()))
            eye.start()
            _await_first(eye, stop)
            stop.wait(SETTLE_S)
            ear = Ear() if voice is not None else None
            if ear is not None:
                ear.start()
            began_s = time.monotonic()
            stop.wait(seconds)
            for listener in (eye, ear):
                if listener is not None:
                    listener.over.set()
                    listener.join(5)
    finally:
        stop.set()
        name = camera.describe()
        with ExitStack() as closing:  # whatever ended a worker
            closing.callback(camera.close)
            if voice is not None:
                closing.callback(voice.close)
            crew.join()
    heard = voice.describe() if voice else None
    return _findings(name, heard, back.name, fps, began_s, sent, eye, ear)


def _await_first(eye: Eye, stop: threading.Event) -> None:
    """Wait until a first picture was seen: programs may take their time to open a camera."""
    deadline_s = time.monotonic() + FIRST_S
    while not (eye.began.wait(0.1) or stop.is_set() or time.monotonic() > deadline_s):
        pass


def _capture(history: History, clock: AudioClock, stop: threading.Event) -> None:
    """A microphone that hears nothing but clicks, by the machine's clock."""
    began_s = time.monotonic()
    while not stop.wait(max(began_s + history.end / SAMPLE_RATE_HZ + BLOCK_S - time.monotonic(), 0)):
        history.add(clicks(history.end, BLOCK_SAMPLES, SAMPLE_RATE_HZ))
        clock.heard(history.end, began_s + history.end / SAMPLE_RATE_HZ)


def _film(
    camera: FrameSink, clock: AudioClock, sent: Sent, size: tuple[int, int], fps: int, stop: threading.Event
) -> None:
    """Send each picture when it is due; those that are late are left out."""
    number = 0
    while not stop.is_set():
        captured_s = clock.time_of(number * SAMPLE_RATE_HZ // fps)
        if captured_s is None:
            stop.wait(BLOCK_S)
            continue
        frame = picture(number, *size, fps)
        if stop.wait(max(captured_s + DELAY_S - time.monotonic(), 0)):
            return
        sent.at_s[number] = time.monotonic()
        camera.send(frame)
        late_s = time.monotonic() - captured_s - DELAY_S
        number += max(1, int(late_s * fps))


def _findings(
    name: str, voice: str | None, read_back: str, fps: int, began_s: float, sent: Sent, eye: Eye, ear: Ear | None
) -> Findings:
    # A reader that was slow to open may first be given what had waited for it: that tells nothing of the camera.
    counted = {number for number, at_s in sent.at_s.items() if at_s > began_s}
    seen = {number: at_s for number, at_s in eye.seen_s.items() if number in counted}
    times = np.array(sorted(seen.values()))
    delays = 1e3 * np.array([at_s - sent.at_s[number] for number, at_s in seen.items()])
    uneven = 1e3 * np.abs(np.diff(times) - 1 / fps)
    flashes = [seen[number] for number in eye.flashes if number % fps == 0 and number in seen]
    heard = _heard(ear)
    offsets = 1e3 * _offsets(np.array(flashes), heard)
    middle = float(np.median(offsets)) if offsets.size else None
    return Findings(
        camera=name,
        voice=voice,
        read_back=read_back,
        fps_wanted=fps,
        fps=(len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0,
        delay_ms=(float(np.median(delays)), float(np.percentile(delays, 95))) if delays.size else None,
        jitter_ms=float(np.percentile(uneven, 95)) if uneven.size else None,
        flashes=len(flashes),
        clicks=len(heard),
        offset_ms=middle,
        spread_ms=None if middle is None else float(np.abs(offsets - middle).max()),
    )


def _heard(ear: Ear | None) -> NDArray[np.float64]:
    """When clicks were heard."""
    if ear is None:
        return np.zeros(0)
    begun_s, samples = ear.heard()
    return begun_s + np.array(onsets(samples)) / SAMPLE_RATE_HZ


def _offsets(flashes_s: NDArray[np.float64], clicks_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much later than the flash nearest to it each click was heard, seconds."""
    if not flashes_s.size or not clicks_s.size:
        return np.zeros(0)
    apart = clicks_s[:, None] - flashes_s[None, :]
    nearest = apart[np.arange(len(apart)), np.abs(apart).argmin(axis=1)]
    return np.asarray(nearest[np.abs(nearest) < FLASH_TO_CLICK_S])

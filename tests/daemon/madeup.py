"""Made-up time: the daemon's workers, one after the other, on a clock that only their waiting and working moves on.

`rehearsed` hears and renders, `filmed` shows a reader what was rendered. Neither asks anything of the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from lsp_cam.daemon import listening, showing
from lsp_cam.daemon.clock import AudioClock
from lsp_cam.daemon.listening import Listener
from lsp_cam.daemon.mending import Mender
from lsp_cam.daemon.pacing import DuePictures, JitterBuffer
from lsp_cam.daemon.show import Due, Picture, Show
from lsp_cam.daemon.showing import Camera, film, render
from lsp_cam.daemon.stats import Rate
from lsp_cam.devices.base import BLOCK_S, BLOCK_SAMPLES, AudioBlock
from lsp_cam.devices.fit import Fitter
from lsp_cam.packets import UInt8

from . import fakes
from .fakes import SIDE, FakePipeline, FakeSubject

FPS = 30
PERIOD_S = 1 / FPS
POLL_S = 0.001
BLACK = np.zeros((SIDE, SIDE, 3), np.uint8)
Event = tuple[float, Callable[[], object]]
"""When something happens, and what."""


class Time:
    """The clock, and the event that stops a worker at `end_s`.

    A block is heard when it is captured, and the renderer alone takes time; `test_overload` has a machine where that is
    otherwise.
    """

    def __init__(self, end_s: float) -> None:
        self.now_s, self.end_s = 0.0, end_s
        self.coming: list[Event] = []

    @property
    def unheard_s(self) -> float:
        """How much speech waits to be heard."""
        return 0.0

    def monotonic(self) -> float:
        return self.now_s

    def go(self, seconds: float) -> None:
        """So much passes, and what is to come in it happens."""
        until_s = self.now_s + seconds
        while self.coming and self.coming[0][0] <= until_s:
            self.now_s, happens = self.coming.pop(0)
            happens()
        self.now_s = until_s

    def sleep(self, seconds: float) -> None:
        """Rendering goes on for so long."""
        self.go(seconds)

    def hear(self, block: AudioBlock, listener: Listener) -> None:
        """A block was captured."""
        listener.hear(block)

    def wait(self, seconds: float) -> bool:
        self.go(max(seconds, 1e-6))
        return self.is_set()

    def is_set(self) -> bool:
        return self.now_s >= self.end_s


class Awaited(DuePictures[Due]):
    """Whoever waits for a picture lets time pass."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def take(self, timeout_s: float, hurry: bool) -> Due | None:
        end_s = self._time.now_s + timeout_s
        while not self.waiting and self._time.now_s < end_s:
            self._time.go(POLL_S)
        return super().take(0.0, hurry)


@dataclass(frozen=True)
class Rehearsed:
    """What the renderer made, each picture with the time at which it was done; `skipped`: how many it did not make."""

    pictures: list[tuple[float, Picture]]
    clock: AudioClock
    skipped: int


def rehearsed(time: Time, render_s: float, monkeypatch: pytest.MonkeyPatch, watched: bool = True) -> Rehearsed:
    """Somebody speaks until `time` is over; each picture takes `render_s` to render."""
    for module in (showing, listening, fakes):
        monkeypatch.setattr(module, "time", time)
    monkeypatch.setattr(showing, "give_way", lambda: None)  # it would be this process that gives way
    pipeline: Any = FakePipeline(FakeSubject("anna", 200), lambda stage, seconds: None, render_s)
    due, clock = Awaited(time), AudioClock()
    listener = Listener(Show.begin(pipeline), FPS, due, clock)
    speech = np.full(BLOCK_SAMPLES, 0.5, np.float32)
    blocks = [AudioBlock(speech, number * BLOCK_S) for number in range(1, round(time.end_s / BLOCK_S))]
    time.coming = [(block.captured_s, partial(time.hear, block, listener)) for block in blocks]
    made: list[tuple[float, Picture]] = []

    class Made(JitterBuffer[Picture]):
        def put(self, picture: Picture) -> None:
            made.append((time.now_s, picture))

    outside: Any = time  # the event that stops
    mender = Mender(lambda pipeline: None, time.monotonic)
    render(
        due, Made(), lambda: watched, lambda: time.unheard_s, lambda subject: "", mender, lambda: BLACK,
        lambda: PERIOD_S, outside,
    )  # fmt: skip
    return Rehearsed(made, clock, due.skipped)


class Reader:
    """Stands for the outlets: takes `stalls[t]` seconds for the t-th picture, and asks for `fps` when it is changed.

    `shown`: the motion frame of every picture that it was sent (None: the idle portrait); `at_s`: when.
    """

    recording = None

    def __init__(self, time: Time, stalls: Mapping[int, float]) -> None:
        self.shown: list[int | None] = []
        self.at_s: list[float] = []
        self.fps = FPS
        self._time, self._stalls, self._asked = time, stalls, False

    def ask(self, fps: int) -> None:
        self.fps, self._asked = fps, True

    def meet_requests(self) -> bool:
        asked, self._asked = self._asked, False
        return asked

    def send(self, rgb: UInt8, frame: int | None) -> bool:
        self.shown.append(frame)
        self.at_s.append(self._time.now_s)
        self._time.go(self._stalls.get(len(self.shown), 0.0))
        return True


@dataclass(frozen=True)
class Filmed:
    """A camera that has shown pictures to a reader for a while; `dropped`: those that it never came to show."""

    camera: Camera
    reader: Reader
    dropped: int


def filmed(
    pictures: list[tuple[float, Picture]],
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
    clock: AudioClock | None = None,
    stalls: Mapping[int, float] | None = None,
    changes: Mapping[float, int] | None = None,
    pauses: Mapping[float, bool] | None = None,
) -> Filmed:
    """Show pictures that are done at these times. `changes`: rates that are asked for, by when; `pauses`: whether the
    camera is paused from then on."""
    time = Time(seconds)
    monkeypatch.setattr(showing, "time", time)
    rendered: JitterBuffer[Picture] = JitterBuffer.at(FPS)
    reader, camera = Reader(time, stalls or {}), Camera(BLACK, Fitter(SIDE, SIDE, None), False)
    camera.out, camera.fresh = Rate(now=time.monotonic), Rate(now=time.monotonic)
    coming: list[Event] = [(at_s, partial(rendered.put, picture)) for at_s, picture in pictures]
    coming += [(at_s, partial(reader.ask, fps)) for at_s, fps in (changes or {}).items()]
    coming += [(at_s, partial(setattr, camera, "paused", paused)) for at_s, paused in (pauses or {}).items()]
    time.coming = sorted(coming, key=lambda event: event[0])
    outlets: Any = reader
    stop: Any = time
    film(rendered, camera, outlets, clock or AudioClock(), lambda: 1 / reader.fps, stop)
    return Filmed(camera, reader, rendered.dropped)

"""The camera worker in made-up time: it keeps its rate whatever the renderer and the reader do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lsp_cam.daemon import showing
from lsp_cam.daemon.clock import AudioClock
from lsp_cam.daemon.pacing import JitterBuffer
from lsp_cam.daemon.show import Picture
from lsp_cam.daemon.showing import Camera, film
from lsp_cam.devices.fit import Fitter

from .test_pacing import simulate

PERIOD_S = 1 / 30
BLACK = np.zeros((16, 16, 3), np.uint8)


class World:
    """A clock that only waiting moves on, a renderer that finishes picture n at `done_s[n]`, and a reader.

    `shown`: the number of the picture that went out at each tick, None for the idle portrait. The reader takes
    `stalls[t]` seconds for the t-th picture.
    """

    def __init__(self, done_s: dict[int, float], seconds: float, stalls: dict[int, float] | None = None) -> None:
        self.now_s = 0.0
        self.rendered: JitterBuffer[Picture] = JitterBuffer(patience=60)
        self.shown: list[int | None] = []
        self.at_s: list[float] = []
        self.recording = None
        self._coming = sorted((at_s, number) for number, at_s in done_s.items())
        self._seconds = seconds
        self._stalls = stalls or {}

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        """What `threading.Event.wait` does."""
        self._pass(max(seconds, 1e-6))
        return self.now_s >= self._seconds

    def meet_requests(self) -> bool:
        return False

    def send(self, rgb: Any, frame: int | None) -> bool:
        self.shown.append(frame)
        self.at_s.append(self.now_s)
        self._pass(self._stalls.get(len(self.shown), 0.0))
        return True

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds
        while self._coming and self._coming[0][0] <= self.now_s:
            self.rendered.put(Picture(BLACK, self._coming.pop(0)[1]))


def filmed(world: World, monkeypatch: pytest.MonkeyPatch) -> Camera:
    monkeypatch.setattr(showing, "time", SimpleNamespace(monotonic=world.monotonic))
    camera = Camera(BLACK, Fitter(16, 16, None), False)
    outside: Any = world  # the outlets and the event that stops
    film(world.rendered, camera, outside, AudioClock(), lambda: PERIOD_S, outside)
    return camera


@pytest.mark.parametrize("slowness", [1.2, 2.4, 3.9])
def test_a_slow_renderer_repeats_pictures_evenly_but_the_camera_keeps_its_rate(
    slowness: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_s = slowness * PERIOD_S
    due, late_s = simulate(render_s, PERIOD_S, 10, hurry=True)
    world = World({n: n * PERIOD_S + late + render_s for n, late in zip(due, late_s, strict=True)}, 10)
    camera = filmed(world, monkeypatch)
    assert (camera.sent, camera.missed) == (300, 0)
    assert np.diff(world.at_s) == pytest.approx(PERIOD_S, abs=1e-5)
    numbers = [n for n in world.shown if n is not None]
    assert numbers == sorted(numbers), "time does not jump back"
    assert camera.repeated == pytest.approx(300 * (1 - 1 / slowness), abs=5)
    steps = np.diff(list(dict.fromkeys(numbers)))
    assert steps.max() - steps.min() <= 1, "skipped evenly"
    times_shown = [numbers.count(n) for n in dict.fromkeys(numbers)][1:-1]
    assert max(times_shown) - min(times_shown) <= 1, "repeated evenly"


def test_a_reader_that_stops_for_a_moment_makes_nothing_late_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World({n: n * PERIOD_S + 0.01 for n in range(300)}, 10, stalls={100: 0.5})
    camera = filmed(world, monkeypatch)
    assert camera.missed == pytest.approx(14, abs=1), "the ticks it slept through are left out, not made up for"
    late = [
        at_s / PERIOD_S - number for at_s, number in zip(world.at_s, world.shown, strict=True) if number is not None
    ]
    assert max(late[-60:]) < 1.1, "of the two that waited, one was dropped"


@pytest.mark.parametrize("ppm", [300, -300])
def test_a_microphone_whose_clock_drifts_drops_or_repeats_a_picture_now_and_then(
    ppm: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech, and pictures with it, come 300 ppm faster or slower than the camera's ticks: one picture in 111 s."""
    seconds, faster = 600, 1 + ppm * 1e-6
    jitter_s = np.random.default_rng(0).uniform(0, 0.01, seconds * 31)
    world = World({n: n * PERIOD_S / faster + jitter_s[n] for n in range(int(seconds * 30 * faster))}, seconds)
    camera = filmed(world, monkeypatch)
    assert camera.sent == seconds * 30
    numbers = [n for n in world.shown if n is not None]
    assert numbers == sorted(numbers)
    assert camera.repeated - world.rendered.dropped == pytest.approx(-ppm * 1e-6 * seconds * 30, abs=3)
    late = [at_s / PERIOD_S - n / faster for at_s, n in zip(world.at_s, world.shown, strict=True) if n is not None]
    assert max(late) < 3, "it never gets later than the buffer is deep"

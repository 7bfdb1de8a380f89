"""The render and the camera worker in made-up time: they keep the rate whatever the renderer and the reader do."""

from __future__ import annotations

import numpy as np
import pytest

from lsp_cam.daemon.show import Picture
from lsp_cam.devices.base import BLOCK_S
from lsp_cam.packets import MOTION_FPS, SAMPLE_RATE_HZ

from .fakes import LOOK_AHEAD
from .madeup import BLACK, FPS, PERIOD_S, Filmed, Time, filmed, rehearsed
from .test_pacing import simulate

FRAME_S, LOOK_AHEAD_S, RENDER_S = 1 / MOTION_FPS, LOOK_AHEAD / SAMPLE_RATE_HZ, 0.005


def numbered(done_s: dict[int, float]) -> list[tuple[float, Picture]]:
    """Pictures that show their numbers instead of motion frames, and when each is done."""
    return [(at_s, Picture(BLACK, number)) for number, at_s in done_s.items()]


def numbers_of(film: Filmed) -> list[int]:
    """What was shown after the idle portrait."""
    return [number for number in film.reader.shown if number is not None]


def test_every_picture_that_is_due_is_shown_once_and_on_its_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rehearsed(Time(10), RENDER_S, monkeypatch)
    film = filmed(made.pictures, 10, monkeypatch, made.clock)
    assert film.reader.shown[0] is None, "the idle portrait, at once"
    assert (made.skipped, film.dropped, film.camera.missed) == (0, 0, 0)
    shown = numbers_of(film)
    assert shown == list(range(1, 2 * len(shown), 2)), "at 30 fps every second motion frame is due"
    assert film.camera.out.per_second() == film.camera.fresh.per_second() == pytest.approx(FPS, rel=0.01)


def test_the_delay_is_measured_from_the_first_sample_of_a_frame_to_its_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rehearsed(Time(10), RENDER_S, monkeypatch)
    film = filmed(made.pictures, 10, monkeypatch, made.clock)
    delays_s = film.camera.delay_s.percentile(0, 100)
    assert delays_s is not None
    # A motion frame and what it looks ahead are heard, block by block; then it is rendered, and waits for a tick.
    assert delays_s[0] > LOOK_AHEAD_S + FRAME_S
    assert delays_s[1] < LOOK_AHEAD_S + FRAME_S + BLOCK_S + RENDER_S + PERIOD_S
    told = film.camera.delays.typical_ms()
    assert told is not None
    assert told["look_ahead"] == pytest.approx(1000 * LOOK_AHEAD_S)
    assert told["rendering"] == pytest.approx(1000 * RENDER_S)


def test_what_nobody_sees_is_rendered_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    made = rehearsed(Time(10), RENDER_S, monkeypatch, watched=False)
    steps_s = np.diff([at_s for at_s, _ in made.pictures])
    assert len(steps_s) >= 8
    assert steps_s.min() >= 1
    assert steps_s.max() < 1 + 2 * PERIOD_S
    assert made.skipped == 0, "what nobody would have seen is not missed"


def test_another_rate_holds_from_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    film = filmed(numbered({n: n * PERIOD_S for n in range(600)}), 20, monkeypatch, changes={10.0: 10})
    steps_s, before = np.diff(film.reader.at_s), 10 * FPS
    assert steps_s[: before - 1] == pytest.approx(PERIOD_S, abs=1e-5)
    assert steps_s[before + 1 :] == pytest.approx(0.1, abs=1e-5)
    assert film.camera.out.per_second() == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize("slowness", [1.2, 2.4, 3.9])
def test_a_slow_renderer_repeats_pictures_evenly_but_the_camera_keeps_its_rate(
    slowness: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_s = slowness * PERIOD_S
    due, late_s = simulate(render_s, PERIOD_S, 10, hurry=True)
    done_s = {n: n * PERIOD_S + late + render_s for n, late in zip(due, late_s, strict=True)}
    film = filmed(numbered(done_s), 10, monkeypatch)
    assert (film.camera.sent, film.camera.missed) == (300, 0)
    assert np.diff(film.reader.at_s) == pytest.approx(PERIOD_S, abs=1e-5)
    numbers = numbers_of(film)
    assert numbers == sorted(numbers), "time does not jump back"
    assert film.camera.repeated == pytest.approx(300 * (1 - 1 / slowness), abs=5)
    steps = np.diff(list(dict.fromkeys(numbers)))
    assert steps.max() - steps.min() <= 1, "skipped evenly"
    times_shown = [numbers.count(n) for n in dict.fromkeys(numbers)][1:-1]
    assert max(times_shown) - min(times_shown) <= 1, "repeated evenly"


def test_a_reader_that_stops_for_a_moment_makes_nothing_late_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    film = filmed(numbered({n: n * PERIOD_S + 0.01 for n in range(450)}), 15, monkeypatch, stalls={100: 0.5})
    assert film.camera.missed == pytest.approx(14, abs=1), "the ticks it slept through are left out, not made up for"
    sent = zip(film.reader.at_s, film.reader.shown, strict=True)
    late = [at_s / PERIOD_S - number for at_s, number in sent if number is not None]
    assert max(late[-60:]) < 1.1, "of those that waited, all but one were dropped"


def test_after_a_pause_nothing_is_shown_that_waited_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    done = {n: n * PERIOD_S + 0.01 for n in range(450) if not 100 < n < 300 or n % 30 == 0}  # paused, one a second
    film = filmed(numbered(done), 15, monkeypatch, pauses={3.4: True, 10.0: False})
    sent = [(at_s, number) for at_s, number in zip(film.reader.at_s, film.reader.shown, strict=True) if number]
    assert {number for at_s, number in sent if 3.5 < at_s < 10} == {100}, "the same picture"
    assert max(at_s / PERIOD_S - number for at_s, number in sent if at_s > 10.1) < 1.1


@pytest.mark.parametrize("ppm", [300, -300])
def test_a_microphone_whose_clock_drifts_drops_or_repeats_a_picture_now_and_then(
    ppm: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech, and pictures with it, come 300 ppm faster or slower than the camera's ticks: one picture in 111 s."""
    seconds, faster = 600, 1 + ppm * 1e-6
    jitter_s = np.random.default_rng(0).uniform(0, 0.01, seconds * 31)
    done_s = {n: n * PERIOD_S / faster + jitter_s[n] for n in range(int(seconds * 30 * faster))}
    film = filmed(numbered(done_s), seconds, monkeypatch)
    assert film.camera.sent == seconds * 30
    numbers = numbers_of(film)
    assert numbers == sorted(numbers)
    assert film.camera.repeated - film.dropped == pytest.approx(-ppm * 1e-6 * seconds * 30, abs=3)
    sent = zip(film.reader.at_s, film.reader.shown, strict=True)
    late = [at_s / PERIOD_S - n / faster for at_s, n in sent if n is not None]
    assert max(late) < 3, "it never gets later than the buffer is deep"

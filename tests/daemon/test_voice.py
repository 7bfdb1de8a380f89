"""The voice beside the picture: read between samples without a trace, held in time whatever the clocks do."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from lsp_cam.daemon.clock import AudioClock
from lsp_cam.daemon.show import History
from lsp_cam.daemon.voice import JUMP_S, Voice, read_between, speak
from lsp_cam.devices.base import BLOCK_SAMPLES
from lsp_cam.devices.null import ListVoice
from lsp_cam.errors import DeviceLost

RATE = 16_000
DELAY_S = 0.4


def tone(samples: Any, hz: float) -> Any:
    return np.sin(2 * np.pi * hz * np.asarray(samples) / RATE).astype(np.float32)


def history_of(samples: Any) -> History:
    history = History()
    for first in range(0, len(samples), BLOCK_SAMPLES):
        history.add(samples[first : first + BLOCK_SAMPLES])
    return history


@pytest.mark.parametrize("hz", [100, 1000, 4000, 6500])
@pytest.mark.parametrize("first", [500.0, 500.25, 517.8371])
@pytest.mark.parametrize("step", [1.0, 0.995, 1.0003])
def test_between_samples_there_is_what_the_sound_would_be(hz: float, first: float, step: float) -> None:
    got = read_between(history_of(tone(np.arange(4000), hz)), first, step, 320)
    np.testing.assert_allclose(got, tone(first + step * np.arange(320), hz), atol=2e-3)


def test_where_no_speech_is_there_is_silence() -> None:
    history = history_of(np.ones(800, np.float32))
    assert not read_between(history, -500.0, 1.0, 160).any()
    assert not read_between(history, 5000.0, 1.0, 160).any()
    edge = read_between(history, 700.5, 1.0, 160)
    assert edge[:60] == pytest.approx(1, abs=0.01)
    assert not edge[140:].any()


class World:
    """A microphone, a machine and a virtual microphone, each with a clock of its own, in made-up time."""

    def __init__(self, mic_ppm: float, out_ppm: float, delay_s: float = DELAY_S) -> None:
        self.history, self.clock = History(), AudioClock()
        self.voice = Voice(self.history, self.clock, delay_s)
        self._block_s = BLOCK_SAMPLES / RATE / (1 + mic_ppm * 1e-6)
        self._out_s = BLOCK_SAMPLES / RATE / (1 + out_ppm * 1e-6)
        self._rng = np.random.default_rng(1)
        self._captured, self._heard_s = 0, 0.5
        self.errors_s: list[float] = []

    def run(self, seconds: float, hz: float = 0.0) -> Any:
        """Go on for a while; gives what was heard. `errors_s`: the voice against the picture, each block."""
        out, end_s = [], self._heard_s + seconds
        while self._heard_s < end_s:
            while self._captured * self._block_s < self._heard_s:
                self._captured += 1
                first = (self._captured - 1) * BLOCK_SAMPLES
                self.history.add(tone(first + np.arange(BLOCK_SAMPLES), hz))
                late_s = self._rng.exponential(0.002)
                self.clock.heard(self.history.end, self._captured * self._block_s + late_s)
            jitter_s = self._rng.normal(0, 0.003)  # what the sound server says is not exact
            out.append(self.voice.next(self._heard_s + jitter_s))
            place = self.voice._place
            assert place is not None
            spoken_s = (place - BLOCK_SAMPLES) / BLOCK_SAMPLES * self._block_s
            self.errors_s.append(self._heard_s - self.voice.delay_s - spoken_s)
            self._heard_s += self._out_s
        return np.concatenate(out)


@pytest.mark.parametrize(("mic_ppm", "out_ppm"), [(300, -300), (-300, 300), (0, 0)])
def test_clocks_that_drift_apart_are_followed(mic_ppm: float, out_ppm: float) -> None:
    world = World(mic_ppm, out_ppm)
    world.run(120)
    settled = np.array(world.errors_s[6000:])
    assert np.abs(settled).max() < 0.010
    assert world.voice.jumps == 0
    assert world.voice.correction_ppm == pytest.approx(mic_ppm - out_ppm, abs=200)


def test_following_leaves_no_click() -> None:
    world = World(300, -300)
    world.run(5, hz=200)
    heard = world.run(20, hz=200)
    bend = np.abs(np.diff(heard, 2))
    assert bend.max() < 1.1 * (2 * np.pi * 200 / RATE) ** 2, "smoother than the tone itself it cannot be"


def test_a_delay_that_changes_a_little_is_approached_and_one_that_changes_much_is_jumped_to() -> None:
    world = World(0, 0)
    world.run(3)
    world.voice.aim(DELAY_S + 0.03)
    world.run(15)
    assert world.voice.jumps == 0
    assert abs(np.mean(world.errors_s[-100:])) < 0.003
    world.voice.aim(DELAY_S - JUMP_S - 0.05)
    heard = world.run(3, hz=200)
    assert world.voice.jumps == 1
    assert abs(np.mean(world.errors_s[-100:])) < 0.003
    assert np.abs(np.diff(heard)).max() < 0.4, "faded, not cut"


def test_before_the_first_word_there_is_silence() -> None:
    voice = Voice(History(), AudioClock(), DELAY_S)
    assert not voice.next(time.monotonic()).any()
    assert voice.offset_s.percentile(50) is None


class Failing(ListVoice):
    """Goes away after its third block, once."""

    opened = 0

    def open(self) -> None:
        self.opened += 1
        super().open()

    def write(self, samples: Any) -> None:
        if self.opened == 1 and len(self.blocks) == 3:
            raise DeviceLost("gone")
        super().write(samples)


def test_a_microphone_that_goes_away_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_cam.daemon.voice.RETRY_S", 0.05)
    sink, stop = Failing(), threading.Event()
    voice = Voice(history_of(np.zeros(800, np.float32)), AudioClock(), DELAY_S)
    worker = threading.Thread(target=speak, args=(sink, voice, lambda: 0.3, stop))
    worker.start()
    deadline_s = time.monotonic() + 10
    while len(sink.blocks) < 10 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    stop.set()
    worker.join(5)
    assert sink.opened == 2
    assert len(sink.blocks) >= 10
    assert voice.problem is None
    assert voice.delay_s == 0.3

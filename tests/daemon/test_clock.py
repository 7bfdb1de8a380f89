"""The audio clock against sound cards that are late, skewed, and interrupted."""

import numpy as np
import pytest

from lsp_cam.daemon.clock import AudioClock

BLOCK = 160
RATE = 16_000


def captured(seconds: float, skew_ppm: float = 0.0, start_s: float = 1000.0, seed: int = 0) -> list[tuple[int, float]]:
    """(end sample, arrival) of 10 ms blocks: up to 8 ms late as a rule, sometimes 60 ms."""
    random = np.random.default_rng(seed)
    ends = (np.arange(int(seconds * RATE / BLOCK)) + 1) * BLOCK
    late_s = random.exponential(0.002, len(ends)) + 0.06 * (random.random(len(ends)) < 0.02)
    return [(int(e), start_s + e / RATE * (1 + skew_ppm * 1e-6) + late) for e, late in zip(ends, late_s, strict=True)]


def test_nobody_knows_before_the_first_block():
    assert AudioClock().time_of(0) is None


def test_late_arrivals_do_not_matter():
    clock = AudioClock()
    for end, at in captured(40):
        clock.heard(end, at)
    for sample in (39 * RATE, 40 * RATE):
        assert clock.time_of(sample) == pytest.approx(1000 + sample / RATE, abs=1e-3)


@pytest.mark.parametrize("skew_ppm", [-300.0, 300.0])
def test_skew_is_followed(skew_ppm: float):
    clock = AudioClock()
    worst = 0.0
    for end, at in captured(120, skew_ppm):
        clock.heard(end, at)
        if end > 5 * RATE:
            told = clock.time_of(end)
            assert told is not None
            worst = max(worst, abs(told - (1000 + end / RATE * (1 + skew_ppm * 1e-6))))
    assert worst < 0.004
    assert clock.skew_ppm == pytest.approx(skew_ppm, abs=30)


def test_lost_speech_moves_the_line_at_once():
    clock = AudioClock()
    for end, at in captured(20):
        clock.heard(end, at)
    clock.heard(20 * RATE + BLOCK, 1000 + 20 + 2.5 + 0.01, gap=True)
    assert clock.time_of(20 * RATE + BLOCK) == pytest.approx(1022.51, abs=1e-6)


def test_a_sleep_that_nobody_announced_is_noticed_within_two_seconds():
    clock = AudioClock()
    for end, at in captured(20):
        clock.heard(end, at)
    for end, at in captured(3, start_s=1030.0, seed=1):
        clock.heard(20 * RATE + end, at)
    assert clock.time_of(23 * RATE) == pytest.approx(1033, abs=2e-3)


@pytest.mark.parametrize("step_s", [0.03, -0.03, 0.3, -0.3])
@pytest.mark.parametrize("skew_ppm", [300.0, -300.0])
def test_a_latency_that_steps_is_followed_and_is_not_taken_for_skew(step_s: float, skew_ppm: float):
    """What a headset does that renews its radio link."""
    clock, wrong = AudioClock(), []
    for end, at in captured(90, skew_ppm):
        stepped_s = step_s if end > 40 * RATE else 0.0
        clock.heard(end, at + stepped_s)
        if end > 45 * RATE:
            told = clock.time_of(end)
            assert told is not None
            wrong.append((told - stepped_s - (1000 + end / RATE * (1 + skew_ppm * 1e-6)), clock.skew_ppm - skew_ppm))
    off_s, off_ppm = np.abs(wrong).max(axis=0)
    assert off_s < 0.006
    assert off_ppm < 400, "the old line is forgotten, not tilted"


def test_memory_is_bounded():
    clock = AudioClock()
    for end, at in captured(300):
        clock.heard(end, at)
    assert len(clock._spans) <= 30


@pytest.mark.parametrize("skew_ppm", [-300.0, 0.0, 300.0])
def test_the_sample_of_a_time_is_the_one_whose_time_it_is(skew_ppm: float):
    clock = AudioClock()
    assert clock.sample_at(1000.0) is None
    for end, at in captured(30, skew_ppm):
        clock.heard(end, at)
    for sample in (0, 12_345, 30 * RATE):
        at_s = clock.time_of(sample)
        assert at_s is not None
        assert clock.sample_at(at_s) == pytest.approx(sample, abs=1e-3)

"""Statistics of bounded size."""

import pytest

from lsp_cam.daemon.stats import Lately, Rate, Ring, StageTimes


def test_percentiles_of_the_last_values():
    ring = Ring(100)
    assert ring.percentile(50) is None
    for value in range(1000):
        ring.add(value)
    assert ring.percentile(0, 50, 100) == pytest.approx([900, 949.5, 999])
    assert ring.values().size == 100


def test_a_rate_forgets_what_is_long_past():
    now_s = [0.0]
    rate = Rate(window_s=5, now=lambda: now_s[0])
    for tick in range(300):
        now_s[0] = tick / 30
        rate.tick()
    assert rate.per_second() == pytest.approx(30, rel=0.02)
    now_s[0] += 5
    assert rate.per_second() == 0


def test_a_young_rate_counts_from_its_beginning():
    now_s = [100.0]
    rate = Rate(window_s=5, now=lambda: now_s[0])
    for _ in range(30):
        now_s[0] += 1 / 30
        rate.tick()
    assert rate.per_second() == pytest.approx(30, rel=0.05)


def test_what_went_wrong_is_forgotten_when_it_goes_wrong_no_more():
    now_s = [100.0]
    lately = Lately(60, now=lambda: now_s[0])
    assert lately.count() == 0
    for at_s, counter in ((100, 2), (130, 2), (140, 5), (141, 1), (142, 5)):
        now_s[0] = at_s
        lately.note(counter)
    assert lately.count() == 5
    now_s[0] = 161
    assert lately.count() == 3
    now_s[0] = 201
    assert lately.count() == 0


def test_stages_are_told_in_milliseconds():
    times = StageTimes()
    for ms in range(1, 101):
        times.observe("mel", ms / 1000)
    told = times.milliseconds()
    assert told["mel"]["p50"] == pytest.approx(50.5)
    assert told["mel"]["p50"] < told["mel"]["p95"] < told["mel"]["p99"] <= 100

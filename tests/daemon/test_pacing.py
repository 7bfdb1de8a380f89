"""Which pictures are due, when, and which are skipped."""

import numpy as np
import pytest

from lsp_cam.daemon.pacing import DuePictures, JitterBuffer, Pacer, is_due
from lsp_cam.dub import picture_frame


@pytest.mark.parametrize("fps", range(1, 61))
def test_due_frames_are_those_of_offline_rendering(fps: int):
    due = [frame for frame in range(600) if is_due(frame, fps)]
    assert due == [picture_frame(picture, fps) for picture in range(10 * fps)]


def test_ticks_keep_to_their_grid():
    pacer = Pacer(0.1, 5.0)
    seen = []
    for late_s in (0.0, 0.03, 0.0, 0.15, 0.0):
        seen.append(pacer.deadline_s)
        assert pacer.passed(pacer.deadline_s + late_s) == 0
    assert seen == pytest.approx([5.0, 5.1, 5.2, 5.3, 5.4])


def test_time_that_was_slept_through_is_left_out():
    pacer = Pacer(0.1, 0.0)
    assert pacer.passed(1.05) == 10
    assert pacer.deadline_s == pytest.approx(1.1)


def simulate(render_s: float, period_s: float, seconds: float, hurry: bool) -> tuple[list[int], list[float]]:
    """Pictures shown by a renderer that takes `render_s` each, and how late each was when it was taken."""
    due: DuePictures[int] = DuePictures()
    now_s, arrived, shown, late = 0.0, 0, [], []
    while now_s < seconds:
        while arrived * period_s <= now_s:
            due.put(arrived)
            arrived += 1
        picture = due.take(0.0, hurry)
        if picture is None:
            now_s = arrived * period_s
            continue
        shown.append(picture)
        late.append(now_s - picture * period_s)
        now_s += render_s
    return shown, late


@pytest.mark.parametrize("slowness", [1.2, 1.5, 1.7, 2.4, 3.9])
def test_a_slow_renderer_skips_evenly_and_is_not_late(slowness: float):
    shown, late = simulate(slowness / 30, 1 / 30, 10, hurry=True)
    steps = np.diff(shown)
    assert steps.max() - steps.min() <= 1
    assert len(shown) == pytest.approx(10 * 30 / slowness, abs=2)
    assert max(late) < 1 / 30 + 1e-9


def test_a_quick_renderer_skips_nothing_of_a_burst():
    due: DuePictures[int] = DuePictures()
    for picture in range(3):
        due.put(picture)
    assert [due.take(0.0, hurry=False) for _ in range(4)] == [0, 1, 2, None]
    assert due.skipped == 0


def test_skips_are_counted():
    due: DuePictures[int] = DuePictures(depth=3)
    for picture in range(5):
        due.put(picture)
    assert due.skipped == 2
    assert due.take(0.0, hurry=True) == 4
    assert due.skipped == 4


def test_what_is_being_rendered_still_waits_to_be_seen():
    due: DuePictures[int] = DuePictures()
    due.put(1)
    assert due.waiting == 1
    assert due.take(0.0, hurry=False) == 1
    assert due.waiting == 1
    assert due.take(0.0, hurry=False) is None
    assert due.waiting == 0


def test_the_buffer_gives_each_picture_once_and_then_nothing():
    buffer: JitterBuffer[int] = JitterBuffer()
    buffer.put(1)
    buffer.put(2)
    assert [buffer.take() for _ in range(3)] == [1, 2, None]
    assert buffer.dropped == 0


def test_the_oldest_gives_way():
    buffer: JitterBuffer[int] = JitterBuffer(depth=2)
    for picture in range(4):
        buffer.put(picture)
    assert [buffer.take(), buffer.take()] == [2, 3]
    assert buffer.dropped == 2


def test_lateness_that_a_stall_left_behind_wears_off():
    buffer: JitterBuffer[int] = JitterBuffer(patience=10)
    buffer.put(-1)  # one too many, since the camera stalled
    taken = []
    for picture in range(40):
        buffer.put(picture)
        taken.append(buffer.take())
    assert taken[-1] == 39
    assert buffer.dropped == 1


def test_jitter_within_the_buffer_drops_and_repeats_nothing():
    buffer: JitterBuffer[int] = JitterBuffer(patience=10)
    taken = []
    for pair in range(0, 60, 2):  # two pictures at once, every second tick
        buffer.put(pair)
        buffer.put(pair + 1)
        taken += [buffer.take(), buffer.take()]
    assert taken == list(range(60))


def shown_of(arrivals: list[float], patience: int, depth: int = 2) -> tuple[int, int]:
    """How many pictures were shown again, and dropped, of those that arrive at these times (in ticks)."""
    buffer: JitterBuffer[int] = JitterBuffer(depth, patience)
    waiting, repeated = sorted(arrivals), 0
    for tick in range(int(waiting[-1]) - 1):
        while waiting and waiting[0] <= tick:
            buffer.put(tick)
            waiting.pop(0)
        repeated += buffer.take() is None
    return repeated, buffer.dropped


def stalled(count: int, every: int) -> list[float]:
    """When pictures arrive of which one in `every` comes most of a tick late."""
    return [number + (1.2 if number % every == 0 else 0.4) for number in range(count)]


@pytest.mark.parametrize("every", [80, 400])
def test_what_uneven_pictures_need_is_left_to_them(every: int):
    """To drop the one that waits would cost a repeated one, again and again."""
    repeated, dropped = shown_of(stalled(60_000, every), patience=60)
    assert repeated <= 20
    assert dropped <= 20


def test_a_host_that_takes_the_processor_away_costs_next_to_nothing():
    """Nothing comes for three ticks, then all at once, every seven seconds: what came is kept for the next time."""
    arrivals = [max(number + 0.4, number - number % 200 + 3.2) for number in range(60_000)]
    kept, meagre = JitterBuffer.at(30), shown_of(arrivals, patience=60, depth=2)
    repeated, dropped = shown_of(arrivals, kept.patience, kept.depth)
    assert meagre[0] > 250
    assert repeated <= 20
    assert dropped <= 20


def test_another_rate_has_another_depth_and_the_newest_stay():
    buffer: JitterBuffer[int] = JitterBuffer.at(60)
    for picture in range(8):
        buffer.put(picture)
    buffer.suit(10)
    assert [buffer.take() for _ in range(3)] == [6, 7, None], "not most of a second late"
    buffer.suit(30)
    for picture in range(5):
        buffer.put(picture)
    assert (buffer.waiting, buffer.depth) == (4, JitterBuffer.at(30).depth)


def test_even_pictures_wait_for_nothing():
    assert shown_of([number + 0.4 for number in range(20_000)], patience=60) == (1, 0)


def test_patience_comes_back_when_pictures_come_evenly_again():
    buffer: JitterBuffer[int] = JitterBuffer(patience=60)
    waiting = stalled(5_000, 80) + [number + 0.4 for number in range(5_000, 40_000)]
    for tick in range(39_000):
        while waiting and waiting[0] <= tick:
            buffer.put(tick)
            waiting.pop(0)
        buffer.take()
    assert buffer.waiting == 0, "nobody waits longer than need be"

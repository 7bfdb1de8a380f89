"""What a few seconds of a microphone's level say about it."""

from __future__ import annotations

import itertools
import threading

import pytest

from lsp_cam.daemon.hearing import judge, listen


@pytest.mark.parametrize(
    ("room", "speech", "verdict"),
    [(-120, -120, "silent"), (-70, -60, "silent"), (-70, -45, "quiet"), (-65, -22, "good"), (-50, -3, "loud"),
     (-28, -22, "noisy"), (-45, -20, "good")],
)  # fmt: skip
def test_levels_are_put_in_words(room: float, speech: float, verdict: str) -> None:
    told = judge([room] * 30 + [speech] * 30)
    assert told.verdict == verdict
    assert told.advice
    assert (told.room_dbfs, told.speech_dbfs) == (room, speech)


def test_it_listens_for_as_long_as_it_is_told_and_no_longer_than_the_daemon_lives() -> None:
    levels = itertools.cycle([-60.0, -20.0])
    assert listen(lambda: next(levels), 0.4, threading.Event()).verdict == "good"
    stop = threading.Event()
    stop.set()
    assert listen(lambda: -20.0, 1000.0, stop).speech_dbfs == -20

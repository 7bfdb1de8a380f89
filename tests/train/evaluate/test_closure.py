"""Lips on p, b and m, and in silence, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lsp_cam.stages.landmarks import LIPS
from lsp_cam.train.evaluate.closure import frames_within, lips_table, narrowest, open_gap
from lsp_cam.train.evaluate.phones import Phone

from .material import face

PHONES = [
    Phone("AA", 0, 0.5),
    Phone("M", 0.5, 0.6),
    Phone("AA", 0.6, 1.0),
    Phone("B", 1.0, 1.1),
    Phone("SIL", 1.1, 2.1),
]


def frames(gaps: list[tuple[float, float, float]], seconds: float = 2.1) -> np.ndarray:
    """Faces (T, 73, 3), 10 mm open but for (from s, to s, gap)."""
    out = np.stack([face(10.0)] * int(seconds * 60))
    for first, last, gap in gaps:
        out[int(first * 60) : int(last * 60)] = face(gap)
    return out


def test_frames_are_those_whose_middle_is_in_the_span() -> None:
    assert frames_within(0, 1, 100) == slice(0, 60)
    assert frames_within(0.5 / 60, 1.5 / 60, 100) == slice(0, 2)
    assert frames_within(0.020, 0.021, 100) == slice(1, 2)  # one at least
    assert frames_within(9, 10, 100).stop <= 100


def test_a_closure_is_judged_by_the_mouth_that_opens() -> None:
    shown = frames([(0.5, 0.6, 0.9), (1.0, 1.2, 1.1), (1.2, 2.1, 0)])
    tracked = frames([(0.54, 0.58, 0), (1.0, 2.1, 0)])
    row = lips_table(shown, tracked, PHONES, "by hand")
    assert row["closures"] == 2
    assert row["shown"]["open_gap_mm"] == pytest.approx(10)
    assert (row["shown"]["closed_share_m"], row["shown"]["closed_share_b"]) == (1, 0)  # 0.9 of 10 mm, 1.1 of 10 mm
    assert row["shown"]["closed_share"] == 0.5
    assert row["shown"]["closed_share_p"] is None
    assert row["tracked"]["closed_share"] == 1


def test_a_mouth_that_hardly_opens_gains_nothing() -> None:
    gap = np.full(126, 1.0)
    assert open_gap(gap, PHONES) == 1
    names, gaps = narrowest(gap, PHONES)
    assert names == ["M", "B"]
    assert not (gaps < 0.1 * open_gap(gap, PHONES)).any()


def test_stillness_is_the_lips_way_about_their_mean() -> None:
    shown = frames([(1.1, 2.1, 0)])
    shown[66::2, LIPS, 0] += 2  # to and fro by 2 mm: 1 mm from the mean
    row = lips_table(shown, frames([(1.1, 2.1, 3)]), PHONES, "by hand")
    assert row["shown"]["silence_movement_mm"] == pytest.approx(1, abs=0.02)
    assert row["tracked"]["silence_movement_mm"] == 0
    assert row["tracked"]["silence_gap_mm"] == pytest.approx(3)


def test_without_silence_nothing_is_said_of_it() -> None:
    row = lips_table(frames([]), frames([]), PHONES[:4], "by hand")
    assert row["shown"]["silence_movement_mm"] is None

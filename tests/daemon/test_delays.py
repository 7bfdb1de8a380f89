"""The parts of the delay add up to the whole."""

from __future__ import annotations

from lsp_cam.daemon.delays import PARTS, Delays, Made


def test_the_parts_follow_one_another_from_capture_to_camera() -> None:
    delays = Delays()
    assert delays.typical_ms() is None
    for shift in (0.0, 1.0, 5.0):
        made = Made(look_ahead_s=0.3, due_s=shift + 10.32, began_s=shift + 10.33, done_s=shift + 10.37)
        delays.add(shift + 10.0, made, shift + 10.39)
    told = delays.typical_ms()
    assert told == {"look_ahead": 300, "motion": 20, "waiting": 10, "rendering": 40, "camera": 20}
    assert tuple(told) == PARTS
    assert sum(told.values()) == 390

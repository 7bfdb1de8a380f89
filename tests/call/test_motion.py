"""Where a head is, beside the voice: little of it, in step, bounded, and nothing while nobody steers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_cam.call.head import BURST, MAX_WAITING, REPEATS, FarHead, OwnHead
from lsp_cam.call.motion import EVERY_TICKS, MAX_BYTES, MOST, STEPS, Moved, packed, steps_of, unpacked
from lsp_cam.call.opus import TICKS, Config, OpusEncoder
from lsp_cam.call.playout import Playout, Voiced
from lsp_cam.devices.base import BLOCK_SAMPLES
from lsp_cam.errors import CallError, UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ, PoseKey
from lsp_cam.stages.steer import COLUMNS, Steering

ROWS = st.lists(st.tuples(*(st.floats(-m, m) for m in MOST)), min_size=1, max_size=2)


@given(ROWS, st.integers(0, (1 << 32) - 1))
def test_poses_come_back_to_a_step(rows: list[tuple[float, ...]], timestamp: int) -> None:
    packet = packed(timestamp, [steps_of(row) for row in rows])
    assert len(packet) <= MAX_BYTES
    found = unpacked(packet)
    if not any(any(steps_of(row)) for row in rows):
        rows = rows[:1]  # rest is told once
    assert [m.timestamp for m in found] == [(timestamp + n * EVERY_TICKS) % (1 << 32) for n in range(len(rows))]
    for moved, row in zip(found, rows, strict=True):
        assert moved.row is not None
        assert (np.abs(np.subtract(moved.row, row)) <= 0.51 / np.array(STEPS)).all()


def test_a_release_comes_back() -> None:
    assert unpacked(packed(7, [])) == [Moved(7, None)]


@given(st.binary(max_size=64))
def test_any_bytes_are_poses_within_bounds_or_refused(packet: bytes) -> None:
    try:
        found = unpacked(packet)
    except CallError:
        return
    for moved in found:
        assert moved.row is None or all(abs(v) <= m for v, m in zip(moved.row, MOST, strict=True))


def said(head: OwnHead, first_s: float, last_s: float) -> list[bytes]:
    """Its packets while that speech is captured, by packets of 40 ms."""
    first, last = (round(s * SAMPLE_RATE_HZ) for s in (first_s, last_s))
    return [packet for at in range(first, last, 640) for packet in head.until(at + 640)]


def lively(seconds: float) -> Any:
    """A track of which every column moves all the time."""
    at_s = np.arange(round(60 * seconds))[:, None] / 60
    return (np.sin(at_s * [1.0, 1.3, 1.7, 2.1, 2.3, 2.9]) * [30, 20, 10, 50, 40, 60]).astype(np.float32)


def test_nothing_is_said_of_a_head_that_nobody_steers() -> None:
    assert said(OwnHead(), 0, 60) == []


def test_the_liveliest_track_takes_less_than_two_kilobits() -> None:
    head = OwnHead()
    head.steer(Steering("track", track=lively(20)))
    packets = said(head, 0, 60)
    assert 8 * sum(map(len, packets)) / 60 < 1500
    assert len(packets) == pytest.approx(6 * 60, abs=2)


def test_a_head_that_is_held_is_told_of_once_a_second_and_its_release_thrice() -> None:
    head = OwnHead()
    said(head, 0, 1)
    head.steer(Steering("fixed", yaw_deg=30))
    moving = [m.row[0] for p in said(head, 1, 2) for m in unpacked(p) if m.row is not None]
    assert moving == sorted(moving)
    assert moving[-1] == 30
    assert len(said(head, 2, 12)) == pytest.approx(10, abs=1)
    head.steer(Steering("hold"))
    assert [unpacked(p)[-1].row for p in said(head, 12, 14)][-1] == (30, 0, 0, 0, 0, 0)
    head.steer(Steering())
    assert [unpacked(p)[0].row for p in said(head, 14, 20)] == [None] * REPEATS
    assert said(head, 20, 40) == []


@pytest.mark.parametrize("steering", [Steering("hold"), Steering(mirror=True)])
def test_what_the_other_side_alone_knows_cannot_be_held(steering: Steering) -> None:
    with pytest.raises(UsageError, match="--yaw"):
        OwnHead().steer(steering)


def test_floods_and_garbage_are_refused() -> None:
    now_s = [0.0]
    head = FarHead(lambda: now_s[0])
    for _ in range(1000):
        head.hear(packed(0, [(1, 2, 3, 4, 5, 6)]))
    assert head.refused == 1000 - BURST
    assert len(head.take(lambda timestamp: 0)) <= MAX_WAITING
    now_s[0] = 10.0
    head.hear(b"\xff" * 20)
    head.hear(packed(0, [(1, 2, 3, 4, 5, 6)]))
    assert head.refused == 1001 - BURST
    assert head.take(lambda timestamp: None) == ()
    assert head.refused == 1002 - BURST


def test_a_pose_is_in_step_with_the_voice_that_it_came_with() -> None:
    """A word begins, and the head turns with it; the line delays and shuffles, the clocks drift."""
    rng, config, encoder, playout = np.random.default_rng(3), Config(), OpusEncoder(), Playout()
    speech = np.zeros(8 * SAMPLE_RATE_HZ, np.float32)
    onset = 5 * SAMPLE_RATE_HZ
    speech[onset : onset + 4000] = 0.5 * np.sin(np.arange(4000) * 2 * np.pi * 220 / SAMPLE_RATE_HZ)
    arriving: list[tuple[float, Any]] = []
    for number, at in enumerate(range(0, len(speech), config.frame_samples)):
        payload = encoder.encode(speech[at : at + config.frame_samples])
        there_s = (at + config.frame_samples) / SAMPLE_RATE_HZ * 1.0005 + rng.uniform(0.05, 0.15)
        if len(payload) > 2:
            arriving.append((there_s, Voiced(number, (77 + at * TICKS) % (1 << 32), payload, there_s)))
    arriving.append((onset / SAMPLE_RATE_HZ + 0.1, packed(77 + onset * TICKS, [steps_of((9.0, 0, 0, 0, 0, 0))])))
    arriving.sort(key=lambda one: one[0])
    heard, turns = [], list[PoseKey]()
    for block in range(900):
        now_s = block * BLOCK_SAMPLES / SAMPLE_RATE_HZ
        while arriving and arriving[0][0] <= now_s:
            came = arriving.pop(0)[1]
            (playout.head.hear if isinstance(came, bytes) else playout.hear)(came)
        for key in playout.head.take(playout.after):
            turns.append(PoseKey(block * BLOCK_SAMPLES + key.at, key.row))
        heard.append(playout.next(now_s))
    began = int(np.argmax(np.abs(np.concatenate(heard)) > 0.1))
    assert [key.row for key in turns] == [(9.0, *[0.0] * (len(COLUMNS) - 1))]
    assert abs(turns[0].at - began) < 0.02 * SAMPLE_RATE_HZ

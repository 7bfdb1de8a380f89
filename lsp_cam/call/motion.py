"""Where a speaker's head is, beside the voice: two poses in 5 to 29 bytes, six times a second while it is steered.

    kind and which columns follow (1) | time of the first pose (4) | of each pose, each of those columns (2)

Each packet is whole by itself. Times are those of the voice (48 kHz, 32 bits), poses EVERY_FRAMES apart; numbers are
whole steps, so that what is no number cannot be said. Columns of zeros do not travel.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import CallError
from ..packets import MOTION_FPS, PoseRow
from ..stages.steer import COLUMNS, MAX_ANGLE_DEG, MAX_SHIFT
from .opus import CLOCK_HZ

EVERY_FRAMES = 5
POSES = 2
"""In a packet. More would save headers, and come too late to be gone towards on a slow line."""
FRAME_TICKS = CLOCK_HZ // MOTION_FPS
EVERY_TICKS = EVERY_FRAMES * FRAME_TICKS
STEPS = (360.0,) * 3 + (32.0,) * 3
"""Of a degree, and of a subject's unit."""
MOST = (MAX_ANGLE_DEG,) * 3 + (MAX_SHIFT,) * 3
GIVEN, RELEASED = 1, 0
_HEAD = struct.Struct(">BI")
_TIMES = 1 << 32
MAX_BYTES = _HEAD.size + POSES * len(COLUMNS) * 2


@dataclass(frozen=True, slots=True)
class Moved:
    """A pose at a time of the voice (48 kHz, modulo 2 ** 32); None: the speech moves the head again."""

    timestamp: int
    row: PoseRow | None


def steps_of(row: PoseRow) -> tuple[int, ...]:
    """A pose as it travels."""
    return tuple(round(min(max(v, -m), m) * s) for v, m, s in zip(row, MOST, STEPS, strict=True))


def packed(timestamp: int, rows: list[tuple[int, ...]]) -> bytes:
    """A packet of poses (`steps_of`), the first at `timestamp`; of none: the head is released."""
    used = [any(row[column] for row in rows) for column in range(len(COLUMNS))]
    first = (GIVEN if rows else RELEASED) << 6 | sum(one << column for column, one in enumerate(used))
    numbers = [row[column] for row in rows for column, one in enumerate(used) if one]
    count = [] if numbers or not rows else [0]  # all zeros: one number says that there is a pose
    return _HEAD.pack(first, timestamp % _TIMES) + struct.pack(f">{len(numbers)}h", *numbers) + bytes(count)


def shifted(packet: bytes, ticks: int) -> bytes:
    """A packet for a line whose times are later by `ticks`."""
    if len(packet) < _HEAD.size:
        return packet
    first, timestamp = _HEAD.unpack_from(packet)
    return _HEAD.pack(first, (timestamp + ticks) % _TIMES) + packet[_HEAD.size :]


def unpacked(packet: bytes) -> list[Moved]:
    """What a packet says, within bounds. CallError if it is none."""
    if not _HEAD.size <= len(packet) <= MAX_BYTES:
        raise CallError("The other side tells of its head in a packet of a wrong size.")
    first, timestamp = _HEAD.unpack_from(packet)
    columns = [column for column in range(len(COLUMNS)) if first >> column & 1]
    body = packet[_HEAD.size :]
    if first >> 6 == RELEASED and not columns and not body:
        return [Moved(timestamp, None)]
    if first >> 6 != GIVEN or (len(body) % (2 * len(columns)) if columns else body != b"\0") or not body:
        raise CallError("The other side tells of its head what is not understood.")
    numbers = struct.unpack(f">{len(body) // 2}h", body) if columns else ()
    poses = len(numbers) // len(columns) if columns else 1
    found = []
    for index in range(poses):
        row = [0.0] * len(COLUMNS)
        for place, column in enumerate(columns):
            value = numbers[index * len(columns) + place] / STEPS[column]
            row[column] = min(max(value, -MOST[column]), MOST[column])
        found.append(Moved((timestamp + index * EVERY_TICKS) % _TIMES, tuple(row)))
    return found

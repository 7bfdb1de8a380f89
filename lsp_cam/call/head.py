"""Both sides' heads: ours, steered here and seen there; and theirs, which comes beside their voice."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from ..errors import CallError, UsageError
from ..packets import MOTION_FPS, SAMPLE_RATE_HZ, PoseKey
from ..stages.steer import COLUMNS, Steering, SteerStage
from .motion import EVERY_FRAMES, FRAME_TICKS, POSES, Moved, packed, steps_of, unpacked

LOG = logging.getLogger(__name__)
AGAIN_FRAMES = 60
"""A head that is held is told of once a second, for whoever missed it."""
REPEATS = 3
"""A pose that stays, and a release, are told so often at first."""
PACKETS_PER_S, BURST = 15.0, 30.0
"""Twice as many as come from us; more are not heard."""
MAX_WAITING = 64
TOLD_AT = (1, 100, 10_000)
_MEAN = np.zeros(len(COLUMNS))


class OwnHead:
    """Our head, as steered, by the voice's clock. `steer` from any thread, `until` from the one that speaks.

    It begins at the mean pose; nothing is said of it before it is steered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stage = SteerStage(_MEAN.astype(np.float32))
        self._state = self._stage.start()
        self._frame = 0
        self._rows: list[tuple[int, ...]] = []
        self._told: tuple[int, tuple[int, ...]] | None = None  # frame and pose
        self._repeats = 0

    @property
    def steering(self) -> Steering:
        """What moves it."""
        return self._state.steering

    @property
    def head(self) -> tuple[float, ...] | None:
        """Where it is, as a row of a track; None before the first word."""
        return self._stage.seen(self._state)

    def steer(self, steering: Steering) -> None:
        """Put it under `steering`. UsageError where that takes what is known to the other side alone."""
        with self._lock:
            automatic = self.steering.mode == "auto"
            if (steering.mode == "hold" and automatic) or (steering.mode == "auto" and steering.mirror):
                raise UsageError(
                    "In a call you move your head at the other side, and how your speech moves it there is not known "
                    "here. Give a pose (--yaw …) or a track; --auto lets your speech move it again."
                )
            if steering.mode != "auto" or not automatic:
                self._repeats = REPEATS
            self._rows = []
            self._state = self._stage.turn(self._state, steering)

    def until(self, sample: int) -> list[bytes]:
        """What is to be sent of it once the speech before `sample` (16 kHz) has been captured."""
        made = []
        with self._lock:
            while (self._frame + 1) * SAMPLE_RATE_HZ // MOTION_FPS <= sample:
                self._stage.pose(self._frame, _MEAN, self._state)
                if self._frame % EVERY_FRAMES == 0 and (packet := self._due()):
                    made.append(packet)
                self._frame += 1
        return made

    def _due(self) -> bytes | None:
        """A packet whose last pose is of this frame, if there is something to say."""
        if self.steering.mode == "auto":
            self._told = None
            self._repeats -= 1
            return packed(self._frame * FRAME_TICKS, []) if self._repeats >= 0 else None
        seen = self.head
        assert seen is not None
        self._rows.append(steps_of(seen))
        if len(self._rows) < POSES:
            return None
        rows, self._rows = self._rows, []
        still = self._told is not None and all(row == self._told[1] for row in rows)
        self._repeats = self._repeats - 1 if still else REPEATS
        if self._told is not None and self._repeats < 0 and self._frame - self._told[0] < AGAIN_FRAMES:
            return None
        self._told = self._frame, rows[-1]
        return packed((self._frame - (POSES - 1) * EVERY_FRAMES) * FRAME_TICKS, rows)


class FarHead:
    """Their head: `hear` takes what comes of it, from any thread; `take` hands it on with the voice."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._waiting: deque[Moved] = deque(maxlen=MAX_WAITING)
        self._left, self._since_s = BURST, now()
        self.refused = 0

    def hear(self, packet: bytes) -> None:
        """What is no pose, or comes too often, is counted in `refused`. Does not wait."""
        now_s = self._now()
        self._left = min(self._left + (now_s - self._since_s) * PACKETS_PER_S, BURST)
        self._since_s = now_s
        try:
            if self._left < 1:
                raise CallError("The other side tells of its head too often.")
            self._left -= 1
            self._waiting.extend(unpacked(packet))
        except CallError as error:
            self._refuse(error)

    def take(self, after: Callable[[int], int | None]) -> tuple[PoseKey, ...]:
        """What has come since. `after`: how many samples after those that are heard next a time of the voice is."""
        keys = []
        while self._waiting:
            moved = self._waiting.popleft()
            at = after(moved.timestamp)
            if at is None:
                self._refuse(CallError("The other side tells of its head at no time that makes sense."))
            else:
                keys.append(PoseKey(at, moved.row))
        return tuple(keys)

    def _refuse(self, error: CallError) -> None:
        self.refused += 1
        if self.refused in TOLD_AT:
            LOG.warning("%s It is not heard.", error)

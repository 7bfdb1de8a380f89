"""Real time for sources that have no clock of their own."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..packets import SAMPLE_RATE_HZ
from .base import BACKLOG_S


@dataclass(frozen=True, slots=True)
class Due:
    """When a block's last sample was due, and how many samples were dropped before it."""

    captured_s: float
    skipped_samples: int


class Pacer:
    """Tells when samples are due, `speed` times as fast as they sound (None: at once).

    The clock starts at the first `wait`. A reader that is more than `BACKLOG_S` late loses what is older, as it
    would with a microphone.
    """

    def __init__(self, speed: float | None = 1.0) -> None:
        self._rate_hz = None if speed is None else SAMPLE_RATE_HZ * speed
        self._start_s: float | None = None
        self._samples = 0
        self.overflows = 0

    def wait(self, samples: int, timeout_s: float) -> Due | None:
        """Sleep until `samples` more are due; None (and nothing has passed) if that takes longer than `timeout_s`."""
        now_s = time.monotonic()
        if self._rate_hz is None:
            return Due(now_s, 0)
        if self._start_s is None:
            self._start_s = now_s
        skipped = self._skip(now_s)
        due_s = self._start_s + (self._samples + samples) / self._rate_hz
        if due_s - now_s > timeout_s:
            time.sleep(max(timeout_s, 0.0))
            return None
        if due_s > now_s:
            time.sleep(due_s - now_s)
        self._samples += samples
        return Due(due_s, skipped)

    def _skip(self, now_s: float) -> int:
        assert self._rate_hz is not None
        assert self._start_s is not None
        late_s = now_s - (self._start_s + self._samples / self._rate_hz)
        if late_s <= BACKLOG_S:
            return 0
        self.overflows += 1
        skipped = int(late_s * self._rate_hz)
        self._samples += skipped
        return skipped

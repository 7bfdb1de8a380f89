"""A microphone that can be exchanged for another one while it is read."""

from __future__ import annotations

import threading
from dataclasses import replace

from .base import AudioBlock, AudioSource, Closing, SourceState


class SwitchedSource(Closing):
    """Whichever source was put in last (see `base.AudioSource`); the first block of a new one is marked as after a gap.

    What was dropped and how often a device came back is counted over all of them.
    """

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._changed = False
        self._closed = False
        self._overflows = self._reconnects = 0

    def change(self, source: AudioSource) -> None:
        """Hear `source` from now on; the one before is closed."""
        with self._lock:
            before, self._source = self._source, source
            self._changed = True
            self._overflows += before.overflows
            self._reconnects += before.reconnects
            closed = self._closed
        before.close()
        if closed:
            source.close()

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def state(self) -> SourceState:
        return "ended" if self._closed else self._source.state

    @property
    def overflows(self) -> int:
        return self._overflows + self._source.overflows

    @property
    def reconnects(self) -> int:
        return self._reconnects + self._source.reconnects

    def read(self, timeout_s: float) -> AudioBlock | None:
        """The next block; None also in the moment of a change."""
        source = self._source
        block = source.read(timeout_s)
        with self._lock:
            if source is not self._source:
                return None  # what the one before had left belongs to another time
            if block is not None and self._changed:
                self._changed = False
                return replace(block, gap=True)
        return block

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._source.close()

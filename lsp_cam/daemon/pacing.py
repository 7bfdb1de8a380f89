"""Which pictures are due, and when: the arithmetic between motion frames, pictures and the camera's ticks."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

from ..dub import picture_frame
from ..packets import MOTION_FPS

T = TypeVar("T")


def is_due(frame: int, fps: int) -> bool:
    """Whether motion frame `frame` is shown by a picture at `fps` (up to 60)."""
    picture = frame * fps // MOTION_FPS
    return frame in (picture_frame(picture, fps), picture_frame(picture + 1, fps))


class Pacer:
    """Deadlines `period_s` apart from `start_s` on. Time that was slept through is left out, not made up for."""

    def __init__(self, period_s: float, start_s: float) -> None:
        self._period_s = period_s
        self._start_s = start_s
        self._tick = 0

    @property
    def deadline_s(self) -> float:
        """When the next tick is due."""
        return self._start_s + self._tick * self._period_s

    def passed(self, now_s: float) -> int:
        """The tick was served at `now_s`; go on to the next one in the future. Gives how many were missed."""
        following = max(self._tick + 1, int((now_s - self._start_s) / self._period_s) + 1)
        # One period late is served at once: the camera catches up without anybody seeing it.
        if now_s - self.deadline_s < 2 * self._period_s:
            following = self._tick + 1
        missed = following - self._tick - 1
        self._tick = following
        return missed


class DuePictures(Generic[T]):
    """What waits to be rendered: a few, newest last. Skips evenly when there is too much."""

    def __init__(self, depth: int = 3) -> None:
        self._waiting: deque[T] = deque(maxlen=depth)
        self._changed = threading.Condition()
        self._taken = 0
        self.skipped = 0

    @property
    def waiting(self) -> int:
        """How many wait or are being rendered: what was taken is, until the next is asked for."""
        return len(self._waiting) + self._taken

    def put(self, picture: T) -> None:
        """A picture has become due; of too many the oldest is skipped."""
        with self._changed:
            self.skipped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(picture)
            self._changed.notify()

    def take(self, timeout_s: float, hurry: bool) -> T | None:
        """The oldest, or in a hurry the newest (skipping the others); None after `timeout_s`.

        A renderer that is slower than the pictures come should hurry: what it shows is then evenly
        spaced and not late. One that can keep up should not: a burst from the sound card loses nothing.
        """
        with self._changed:
            self._taken = 0
            if not self._changed.wait_for(lambda: len(self._waiting) > 0, timeout_s):
                return None
            self._taken = 1
            if not hurry:
                return self._waiting.popleft()
            newest = self._waiting.pop()
            self.skipped += len(self._waiting)
            self._waiting.clear()
            return newest


class JitterBuffer(Generic[T]):
    """Rendered pictures on their way to the camera: at most `depth`, oldest first.

    What piles up when the makers catch up after a stall is in hand for the next one. It would be late for good, though,
    as it would be after a stall of the reader: when every one of `patience` takes in a row leaves something behind,
    one picture is dropped. Where it runs empty within `RARELY` takes, the pictures come so unevenly (others use the
    machine, or its host) that what was left behind was needed: before the next is dropped it waits twice as long, up
    to `MOST_PATIENCE` times.
    """

    RARELY = 1000
    MOST_PATIENCE = 256
    LONGEST_STALL_S = 0.13
    """What is worth bridging: a host that takes the processor away does so for up to a tenth of a second."""

    @classmethod
    def at(cls, fps: int) -> JitterBuffer[T]:
        """For so many pictures a second."""
        buffer = cls()
        buffer.suit(fps)
        return buffer

    def __init__(self, depth: int = 2, patience: int = 60) -> None:
        self.depth, self.patience = depth, patience
        self._waiting: deque[T] = deque(maxlen=depth)
        self._lock = threading.Lock()
        self._patience = patience
        self._never_empty = 0
        self._since_dropped: int | None = None
        self.dropped = 0

    def suit(self, fps: int) -> None:
        """From now on there are so many pictures a second; those that wait and still find room stay."""
        with self._lock:
            self.depth, self.patience = max(2, round(self.LONGEST_STALL_S * fps)), 2 * fps
            self._waiting = deque(self._waiting, maxlen=self.depth)
            self._patience = self.patience

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, picture: T) -> None:
        """Add a picture; the oldest gives way."""
        with self._lock:
            self.dropped += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(picture)

    def take(self) -> T | None:
        """The next picture; None when nothing new has come."""
        with self._lock:
            if self._since_dropped is not None:
                self._since_dropped += 1
            if not self._waiting:
                self._ran_empty()
                return None
            picture = self._waiting.popleft()
            self._never_empty = self._never_empty + 1 if self._waiting else 0
            if self._never_empty >= self._patience:
                picture = self._waiting.popleft()
                self._never_empty = self._since_dropped = 0
                self.dropped += 1
            return picture

    def _ran_empty(self) -> None:
        """Learn from it whether the last picture was dropped too soon."""
        self._never_empty = 0
        if self._since_dropped is None:
            return
        wanted = self._patience * 2 if self._since_dropped <= self.RARELY else self._patience // 2
        self._patience = min(max(wanted, self.patience), self.MOST_PATIENCE * self.patience)
        self._since_dropped = None

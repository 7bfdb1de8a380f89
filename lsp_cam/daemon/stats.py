"""Statistics in bounded memory: the last few hundred values, and a rate over the last seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

KEPT = 600


class Ring:
    """The last `size` values. One thread adds; any thread may ask."""

    def __init__(self, size: int = KEPT) -> None:
        self._values = np.zeros(size)
        self._count = 0

    def add(self, value: float) -> None:
        """Take one value; the oldest makes room."""
        self._values[self._count % len(self._values)] = value
        self._count += 1

    def values(self) -> NDArray[np.float64]:
        """What is kept, in no particular order."""
        return self._values[: self._count].copy()

    def percentile(self, *percents: float) -> list[float] | None:
        """These percentiles of what is kept; None before the first value."""
        kept = self.values()
        return None if kept.size == 0 else [float(v) for v in np.percentile(kept, percents)]


class Rate:
    """How often something happened, per second, over the last `window_s`."""

    def __init__(self, window_s: float = 5.0, now: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._now = now
        self._ring = np.full(KEPT, -np.inf)
        self._count = 0
        self._began_s = now()

    def tick(self) -> None:
        """It happened now."""
        self._ring[self._count % KEPT] = self._now()
        self._count += 1

    def per_second(self) -> float:
        """The rate; over a shorter time where the window has not passed yet."""
        now_s = self._now()
        since_s = max(now_s - self._window_s, self._began_s)
        recent = int(np.count_nonzero(self._ring > since_s))
        return recent / max(now_s - since_s, 1e-3)


class Lately:
    """How far a counter has risen over the last `window_s`. One thread notes it; any thread may ask.

    What went wrong once, and goes wrong no more, is no longer worth a warning.
    """

    def __init__(self, window_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._window_s = window_s
        self._now = now
        self._highest = 0
        self._rises: deque[tuple[float, int]] = deque(maxlen=KEPT)

    def note(self, counter: int) -> None:
        """The counter stands at `counter`; below what it was it has not risen."""
        if counter > self._highest:
            self._rises.append((self._now(), counter - self._highest))
            self._highest = counter

    def count(self) -> int:
        """By how much it rose."""
        since_s = self._now() - self._window_s
        return sum(rise for at_s, rise in self._rises.copy() if at_s > since_s)


class StageTimes:
    """Seconds per step, by stage; its `observe` is the pipeline's hook."""

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}

    def observe(self, stage: str, seconds: float) -> None:
        """One step of `stage` took `seconds`."""
        ring = self._rings.get(stage)
        if ring is None:
            ring = self._rings.setdefault(stage, Ring())
        ring.add(seconds)

    def milliseconds(self) -> dict[str, dict[str, float]]:
        """p50, p95 and p99 of every stage."""
        table = {}
        for name, ring in list(self._rings.items()):
            if found := ring.percentile(50, 95, 99):
                table[name] = {f"p{p}": round(v * 1e3, 3) for p, v in zip((50, 95, 99), found, strict=True)}
        return table

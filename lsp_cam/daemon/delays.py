"""Where the delay from voice to picture comes from, part by part."""

from __future__ import annotations

from dataclasses import dataclass

from .stats import Ring

PARTS = ("look_ahead", "motion", "waiting", "rendering", "camera")
"""What the method waits for; hearing and moving; waiting for the renderer; rendering; waiting for the camera's tick."""
KEPT = 60


@dataclass(frozen=True, slots=True)
class Made:
    """How a picture was made: how far ahead its frame hears, and when it was due, begun and done (monotonic, s)."""

    look_ahead_s: float
    due_s: float
    began_s: float
    done_s: float


class Delays:
    """The parts of the last pictures' delay. The camera worker writes, anybody reads."""

    def __init__(self) -> None:
        self._rings = {part: Ring(KEPT) for part in PARTS}

    def add(self, captured_s: float, made: Made, sent_s: float) -> None:
        """A picture left at `sent_s` whose first sample was captured at `captured_s`."""
        heard_s = captured_s + made.look_ahead_s
        times = (captured_s, heard_s, made.due_s, made.began_s, made.done_s, sent_s)
        for ring, before, after in zip(self._rings.values(), times, times[1:]):
            ring.add(after - before)

    def typical_ms(self) -> dict[str, float] | None:
        """The median of every part; None before the first picture."""
        found = {part: ring.percentile(50) for part, ring in self._rings.items()}
        return {part: round(1000 * p[0], 1) for part, p in found.items() if p} or None

"""The audio clock: when each sample of the speech was captured, on the machine's monotonic clock."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np

from ..packets import SAMPLE_RATE_HZ

SPAN_S = 1.0
SPANS = 30
SPANS_FOR_SLOPE = 8
MAX_SKEW = 1e-3
JUMP_S = 0.05
STEP_S, STEP_SPANS = 0.01, 3  # off the line by so much, to one side, so often: the latency is another one now


class _Line(NamedTuple):
    """Capture time of sample s: s / rate + offset_s + skew * (s / rate - origin_s)."""

    origin_s: float
    offset_s: float
    skew: float


class AudioClock:
    """Fits a slow line through the earliest arrivals.

    A block can be late (a busy machine) but never early, so of each second of speech only the earliest
    arrival counts; a line through the last `SPANS` of them follows the skew between sound card and machine.
    One thread reports blocks; any thread may ask.
    """

    def __init__(self) -> None:
        self._line: _Line | None = None
        self._spans: deque[tuple[float, float]] = deque(maxlen=SPANS)
        self._began_s = 0.0
        self._earliest: tuple[float, float] | None = None
        self._beside = 0

    def heard(self, end_sample: int, captured_s: float, gap: bool = False) -> None:
        """A block that ends before sample `end_sample` was captured whole at `captured_s`; `gap`: after a loss."""
        at_s = end_sample / SAMPLE_RATE_HZ
        late_s = captured_s - at_s
        if gap or (self._line is not None and late_s < self._offset(at_s) - JUMP_S):
            self._restart()  # earlier than possible: the capture timeline was moved
        if self._earliest is not None and at_s - self._began_s >= SPAN_S:
            self._close()
        if self._earliest is None:
            self._began_s = at_s
        if self._earliest is None or late_s < self._earliest[1]:
            self._earliest = (at_s, late_s)
            if not self._spans:
                self._line = _Line(at_s, late_s, 0.0)

    def time_of(self, sample: int) -> float | None:
        """When `sample` was captured, in monotonic seconds; None before the first block."""
        at_s = sample / SAMPLE_RATE_HZ
        return None if self._line is None else at_s + self._offset(at_s)

    def sample_at(self, when_s: float) -> float | None:
        """Which sample (not a whole one) was captured at `when_s`; None before the first block."""
        line = self._line
        if line is None:
            return None
        at_s = (when_s - line.offset_s + line.skew * line.origin_s) / (1 + line.skew)
        return at_s * SAMPLE_RATE_HZ

    @property
    def skew_ppm(self) -> float:
        """How much slower the sound card's clock runs than the machine's, in parts per million."""
        return 0.0 if self._line is None else self._line.skew * 1e6

    def _offset(self, at_s: float) -> float:
        line = self._line
        assert line is not None
        return line.offset_s + line.skew * (at_s - line.origin_s)

    def _restart(self) -> None:
        self._spans.clear()
        self._earliest = None
        self._beside = 0

    def _close(self) -> None:
        """End the current second: fit the line through the earliest arrivals again."""
        assert self._earliest is not None
        at_s, late_s = self._earliest
        if self._spans and late_s - self._offset(at_s) > JUMP_S:
            self._spans.clear()  # a whole second came late: samples were lost or the machine slept
        self._spans.append(self._earliest)
        self._earliest = None
        self._leave_what_was_before_a_step(late_s - self._offset(at_s))
        points = np.asarray(self._spans)
        middle_s, offset_s = points.mean(axis=0)
        skew = 0.0
        if len(points) >= SPANS_FOR_SLOPE:
            x, y = points[:, 0] - middle_s, points[:, 1] - offset_s
            skew = float(np.clip((x @ y) / (x @ x), -MAX_SKEW, MAX_SKEW))
        self._line = _Line(float(middle_s), float(offset_s), skew)

    def _leave_what_was_before_a_step(self, off_s: float) -> None:
        """The last second was `off_s` beside the line. A step that is too small for a jump would tilt the line."""
        side = int(np.sign(off_s)) if abs(off_s) > STEP_S else 0
        self._beside = self._beside + side if side * self._beside > 0 else side
        if abs(self._beside) >= STEP_SPANS:
            while len(self._spans) > STEP_SPANS:
                self._spans.popleft()
            self._beside = 0

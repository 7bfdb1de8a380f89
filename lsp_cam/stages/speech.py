"""Speech features: three GRU layers trained to foresee speech (APC), their state carried (section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

from ..backends.base import Engine, Model, ModelState, step_model, zero_state
from ..packets import ROWS_PER_FRAME, MelFrame, SpeechFrame
from ..subject import Subject
from .mel import MEL_BANDS
from .network import load_network

FEATURES = 512
LAYERS = 3
THREADS = 1  # waking a second one costs more than it brings


@dataclass(slots=True)
class SpeechState:
    """The hidden state of every layer, by the network's names."""

    network: ModelState


class SpeechStage:
    """MelFrame -> SpeechFrame, one for one: the last layer's output for both rows."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @classmethod
    def from_subject(cls, subject: Subject, engine: Engine) -> SpeechStage:
        """The subject's encoder; raises BundleError or ModelError if it does not load or fit."""
        hidden = (LAYERS, 1, FEATURES)
        inputs = {"mel": (ROWS_PER_FRAME, MEL_BANDS), "h_in": hidden}
        outputs = {"features": (ROWS_PER_FRAME, FEATURES), "h_out": hidden}
        return cls(load_network(subject, engine, "speech.onnx", inputs, outputs, THREADS))

    def start(self) -> SpeechState:
        return SpeechState(zero_state(self._model))

    def step(self, x: MelFrame, state: SpeechState) -> tuple[list[SpeechFrame], SpeechState]:
        got, state.network = step_model(self._model, {"mel": x.rows}, state.network)
        return [SpeechFrame(x.frame, got["features"])], state

    def flush(self, state: SpeechState) -> tuple[list[SpeechFrame], SpeechState]:
        return [], state

"""Displacements of the mouth from projected speech, with a look ahead (section 3.2, equations 4 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ..backends.base import Engine, Model, ModelState, step_model, zero_state
from ..packets import BLOCK_FRAMES, Float32, MouthFrame, ProjectedFrame
from ..subject import Subject
from .network import load_network
from .speech import FEATURES

POINTS = 25
HIDDEN = 256
LAYERS = 3


@dataclass(frozen=True)
class MouthConfig:
    """How many frames of speech (1/60 s) the network hears before it answers for a frame."""

    look_ahead_frames: Annotated[int, Field(ge=0, le=60)] = 18


@dataclass(slots=True)
class MouthState:
    """The network's state, how many frames came (`heard` of them by the network), features (2, F) that wait for a
    partner, and the last row of features (F,)."""

    network: ModelState
    came: int = 0
    heard: int = 0
    waiting: Float32 | None = None
    last_row: Float32 | None = None


class MouthStage:
    """ProjectedFrame -> MouthFrame; frame t leaves when frame t + look_ahead_frames and its partner have come."""

    def __init__(self, model: Model, config: MouthConfig) -> None:
        self._model = model
        self.config = config

    @classmethod
    def from_subject(cls, subject: Subject, engine: Engine) -> MouthStage:
        """The subject's mouth; raises BundleError or ModelError if it does not load or fit."""
        state = (LAYERS, 1, HIDDEN)
        inputs = {"features": (BLOCK_FRAMES, 2 * FEATURES), "h_in": state, "c_in": state}
        outputs = {"delta": (BLOCK_FRAMES, 3 * POINTS), "h_out": state, "c_out": state}
        model = load_network(subject, engine, "mouth.onnx", inputs, outputs)
        return cls(model, subject.config("mouth", MouthConfig))

    def start(self) -> MouthState:
        return MouthState(zero_state(self._model))

    def step(self, x: ProjectedFrame, state: MouthState) -> tuple[list[MouthFrame], MouthState]:
        state.came += 1
        state.last_row = x.rows[-1]
        return self._hear(x.rows, state), state

    def flush(self, state: MouthState) -> tuple[list[MouthFrame], MouthState]:
        """The frames held back, hearing the very last row of features over and over."""
        out: list[MouthFrame] = []
        if state.last_row is not None:
            while state.heard < state.came + self.config.look_ahead_frames:
                out += self._hear(np.stack([state.last_row] * 2), state)
        return [frame for frame in out if frame.frame < state.came], state

    def _hear(self, rows: Float32, state: MouthState) -> list[MouthFrame]:
        first, state.waiting = state.waiting, rows
        if first is None:
            return []
        state.waiting = None
        features = np.concatenate([first, rows]).reshape(BLOCK_FRAMES, -1)
        got, state.network = step_model(self._model, {"features": features}, state.network)
        frame = state.heard - self.config.look_ahead_frames
        state.heard += BLOCK_FRAMES
        pair = got["delta"].reshape(BLOCK_FRAMES, POINTS, 3)
        return [MouthFrame(frame + i, points) for i, points in enumerate(pair) if frame + i >= 0]

"""The head-pose network's ear: what speech adds inside its gates, which no pose changes (section 3.3).

Most of the network's weights are here. Apart from the roll-out, they are read once for two frames, and the roll-out's
own stay in the cache while a chunk passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backends.base import Engine, Model
from ..packets import BLOCK_FRAMES, GatesFrame, ProjectedFrame
from ..subject import Subject
from .network import load_network
from .pose import GATES
from .speech import FEATURES


@dataclass(slots=True)
class GatesState:
    """A frame that waits for its partner."""

    waiting: ProjectedFrame | None = None


class GatesStage:
    """ProjectedFrame -> GatesFrame, one for one; frames are heard and leave in pairs."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @classmethod
    def from_subject(cls, subject: Subject, engine: Engine) -> GatesStage:
        """The subject's head; BundleError or ModelError if it does not fit."""
        heard, added = {"features": (BLOCK_FRAMES, 2 * FEATURES)}, {"gates": (BLOCK_FRAMES, *GATES)}
        return cls(load_network(subject, engine, "pose_speech.onnx", heard, added))

    def start(self) -> GatesState:
        return GatesState()

    def step(self, x: ProjectedFrame, state: GatesState) -> tuple[list[GatesFrame], GatesState]:
        first, state.waiting = state.waiting, x
        if first is None:
            return [], state
        state.waiting = None
        return self._hear(first, x), state

    def flush(self, state: GatesState) -> tuple[list[GatesFrame], GatesState]:
        """The frame that found no partner; it is heard beside itself."""
        last, state.waiting = state.waiting, None
        return [] if last is None else self._hear(last, last)[:1], state

    def _hear(self, *frames: ProjectedFrame) -> list[GatesFrame]:
        features = np.concatenate([x.rows for x in frames]).reshape(BLOCK_FRAMES, -1)
        gates = self._model.run({"features": features})["gates"]
        return [GatesFrame(x.frame, one) for x, one in zip(frames, gates, strict=True)]

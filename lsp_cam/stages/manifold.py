"""Speech features drawn onto the subject's own manifold (section 3.1.1, equations 1 and 2).

Each row is rebuilt from its nearest rows in the subject's feature base by locally linear embedding, so that whoever
speaks, the motion networks hear the features that they were trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import BundleError
from ..packets import ROWS_PER_FRAME, Float32, ProjectedFrame, SpeechFrame
from ..subject import Subject
from .neighbours import NeighbourSearch
from .speech import FEATURES

# Relative to the spread of the neighbours. Without it, neighbours that nearly coincide would get huge weights of
# opposite signs; with it they share what is theirs. Small enough to leave sound neighbours as they are.
RIDGE = 1e-6
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class ManifoldConfig:
    """How many neighbours; how much of the reconstruction goes into the row (1: all, 0: the row stays as it is)."""

    neighbours: Annotated[int, Field(ge=1, le=256)] = 10
    blend: Annotated[float, Field(ge=0, le=1)] = 1.0


def barycentric_weights(rows: Float32, near: Float32) -> NDArray[np.float64]:
    """Weights (n, K), each row's sum 1, that best rebuild rows (n, F) from near (n, K, F).

    Least squares about the neighbours' mean: every weight is 1/K plus a share, and the shares sum to zero of
    themselves, because the neighbours' offsets from their mean do.
    """
    count = near.shape[1]
    offsets = np.empty((len(near), count + 1, near.shape[2]))
    offsets[:, :count], offsets[:, count] = near, rows
    offsets -= offsets[:, :count].sum(1, keepdims=True) / count
    products = offsets[:, :count] @ offsets.swapaxes(1, 2)
    gram, towards = products[..., :count], products[..., count:]
    diagonal = np.einsum("nkk->nk", gram)  # a view
    diagonal += RIDGE / count * diagonal.sum(1, keepdims=True) + _TINY
    solved: NDArray[np.float64] = np.linalg.solve(gram, towards)
    return np.asarray(1 / count + solved[..., 0])


@dataclass(slots=True)
class ManifoldState:
    """A frame that waits for its partner."""

    waiting: SpeechFrame | None = None


class ManifoldStage:
    """SpeechFrame -> ProjectedFrame, in pairs as they come. base: (N, F); BundleError if it has too few rows."""

    def __init__(self, base: NDArray[np.floating], config: ManifoldConfig) -> None:
        if len(base) < config.neighbours:
            raise BundleError(
                f"The feature base has {len(base)} rows, fewer than the {config.neighbours} neighbours that are asked "
                "for. Install the bundle again."
            )
        self._base: Float32 = np.ascontiguousarray(base, np.float32)
        self._search = NeighbourSearch(self._base, config.neighbours)
        self.config = config

    @classmethod
    def from_subject(cls, subject: Subject) -> ManifoldStage:
        """The subject's base (stored in single or half precision); raises BundleError if it is damaged or too small."""
        base = subject.arrays("manifold.npz", feature_base=(None, FEATURES))["feature_base"]
        return cls(base, subject.config("manifold", ManifoldConfig))

    def start(self) -> ManifoldState:
        return ManifoldState()

    def step(self, x: SpeechFrame, state: ManifoldState) -> tuple[list[ProjectedFrame], ManifoldState]:
        first, state.waiting = state.waiting, x
        if first is None:
            return [], state
        state.waiting = None
        return self._project([first, x]), state

    def flush(self, state: ManifoldState) -> tuple[list[ProjectedFrame], ManifoldState]:
        last, state.waiting = state.waiting, None
        return [] if last is None else self._project([last]), state

    def _project(self, frames: list[SpeechFrame]) -> list[ProjectedFrame]:
        heard = np.concatenate([x.rows for x in frames])
        neighbours = self._search.search(heard)
        near = self._base[neighbours]
        weights = barycentric_weights(heard, near).astype(np.float32)
        blend = np.float32(self.config.blend)
        rows = blend * (weights[:, None] @ near)[:, 0] + (1 - blend) * heard
        parts = (part.reshape(len(frames), ROWS_PER_FRAME, -1) for part in (rows, neighbours, weights))
        return [ProjectedFrame(x.frame, *arrays) for x, *arrays in zip(frames, *parts, strict=True)]

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
from ..packets import Float32, ProjectedFrame, SpeechFrame
from ..subject import Subject
from .neighbours import NeighbourSearch
from .speech import FEATURES

# Relative to the spread of the neighbours. Without it, neighbours that nearly coincide would get huge weights of
# opposite signs; with it they share what is theirs. Small enough to leave sound neighbours as they are.
RIDGE = 1e-6


@dataclass(frozen=True)
class ManifoldConfig:
    """How many neighbours; how much of the reconstruction goes into the row (1: all, 0: the row stays as it is)."""

    neighbours: Annotated[int, Field(ge=1, le=256)] = 10
    blend: Annotated[float, Field(ge=0, le=1)] = 1.0


def barycentric_weights(row: Float32, near: Float32) -> NDArray[np.float64]:
    """Weights (K,), their sum 1, that best rebuild row (F,) from near (K, F).

    Least squares about the neighbours' mean: every weight is 1/K plus a share, and the shares sum to zero of
    themselves, because the neighbours' offsets from their mean do.
    """
    count = len(near)
    exact = near.astype(np.float64)
    mean = exact.sum(0) / count
    offsets = exact - mean
    gram = offsets @ offsets.T
    ridge = RIDGE * gram.trace() / count + np.finfo(np.float64).tiny
    return 1 / count + np.linalg.solve(gram + ridge * np.eye(count), offsets @ (row - mean))


class ManifoldStage:
    """SpeechFrame -> ProjectedFrame, one for one. base: (N, F); BundleError if it has too few rows."""

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

    def start(self) -> None:
        return None

    def step(self, x: SpeechFrame, state: None) -> tuple[list[ProjectedFrame], None]:
        neighbours = self._search.search(x.rows)
        near = self._base[neighbours]
        weights = np.stack([barycentric_weights(*pair) for pair in zip(x.rows, near, strict=True)]).astype(np.float32)
        blend = np.float32(self.config.blend)
        rows = blend * (weights[:, None] @ near)[:, 0] + (1 - blend) * x.rows
        return [ProjectedFrame(x.frame, rows, neighbours, weights)], state

    def flush(self, state: None) -> tuple[list[ProjectedFrame], None]:
        return [], state

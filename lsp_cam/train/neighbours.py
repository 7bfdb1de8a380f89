"""Manifold projection of many feature rows at once (section 3.1): exact neighbours, found in bulk."""

import faiss
import numpy as np
from numpy.typing import NDArray

from lsp_cam.stages.manifold import barycentric_weights

Rows = NDArray[np.float32]


class Projector:
    """Projects speech features onto a subject's feature base (M, D)."""

    def __init__(self, base: Rows, neighbours: int = 10) -> None:
        self._base = np.ascontiguousarray(base, np.float32)
        self._neighbours = neighbours
        self._index = faiss.IndexFlatL2(base.shape[1])
        self._index.add(self._base)

    def __call__(self, rows: Rows) -> Rows:
        """Rows (N, D) rebuilt from their nearest neighbours in the base."""
        out = np.empty(rows.shape, np.float32)
        for first in range(0, len(rows), 1024):
            part = np.ascontiguousarray(rows[first : first + 1024], np.float32)
            near = self._base[self._index.search(part, self._neighbours)[1]]
            out[first : first + 1024] = np.einsum(
                "nk,nkd->nd", barycentric_weights(part, near), near, dtype=np.float32, casting="same_kind"
            )
        return out

"""Manifold projection of many feature rows at once (section 3.1): nearest neighbours and barycentric weights."""

import faiss
import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]


def barycentric(rows: Rows, near: Rows) -> Rows:
    """Weights (N, K), each row summing to 1, that best rebuild rows (N, D) from near (N, K, D) (equation 2)."""
    last = near[:, -1:]
    spread = (near[:, :-1] - last).astype(np.float64)  # the constraint is met by writing the last weight as the rest
    gram = spread @ spread.transpose(0, 2, 1)
    trace = np.trace(gram, axis1=1, axis2=2)
    gram += (1e-7 * trace[:, None, None] + 1e-12) * np.eye(gram.shape[1])
    free = np.linalg.solve(gram, spread @ (rows - last[:, 0])[..., None].astype(np.float64))[..., 0]
    return np.concatenate([free, 1 - free.sum(axis=1, keepdims=True)], axis=1).astype(np.float32)


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
        for first in range(0, len(rows), 4096):
            part = np.ascontiguousarray(rows[first : first + 4096], np.float32)
            near = self._base[self._index.search(part, self._neighbours)[1]]
            out[first : first + 4096] = np.einsum("nk,nkd->nd", barycentric(part, near), near)
        return out

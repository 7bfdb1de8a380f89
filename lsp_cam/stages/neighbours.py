"""The K nearest rows of a feature base, exactly, without reading all of it for every query.

Each row, seen from the mean of the base, is split into its part along the base's main directions and the length of what
is left. Distances between those few numbers are never larger than the true ones (Cauchy-Schwarz on the left-over): a
product with a small matrix bounds all distances from below, and only rows that may be near are measured. A base of
10,000 rows x 512 takes 20 MB, which no cache holds beside the networks; the bounds take 2.6 MB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..packets import Float32, Int32

DIRECTIONS = 63
SMALL_ROWS = 256  # a base up to this size is searched whole: as fast, and nothing to prepare
_FIT_ROWS = 8192
_MEASURED_MOST = 2048  # where bounds exclude too little, reading all rows in order is faster
_READ_ROWS = 512  # at once: as many as stay in a cache
_LOOKED_AT = 3  # times as many as are asked for: what is measured at once
# The bounds are sums of rounded numbers. What rounding could hide, as a part of the squared lengths, many times over.
_SLACK = 1e-5
# Squared distances that differ by less than this part of the squared lengths may come out in another order in the
# published code, which subtracts large rounded numbers.
_TIE = 2.0**-21
_CHAIN = 256

Indices = NDArray[np.int64]


class NeighbourSearch:
    """Searches base (N, F) float32; N >= K."""

    def __init__(self, base: Float32, neighbours: int) -> None:
        self._base = base
        self._neighbours = neighbours
        self._bounding: Float32 | None = None
        if len(base) > max(SMALL_ROWS, 4 * neighbours):
            self._prepare()

    def _prepare(self) -> None:
        """Fit the main directions (any orthonormal ones are right; good ones are fast), and what gives the bounds."""
        self._mean = self._base.mean(0, dtype=np.float64).astype(np.float32)
        sample = self._base[:: -(-len(self._base) // _FIT_ROWS)] - self._mean
        _, vectors = np.linalg.eigh((sample.T @ sample).astype(np.float64))
        self._directions = np.ascontiguousarray(vectors[:, ::-1][:, :DIRECTIONS], np.float32)
        bounding = np.empty((DIRECTIONS + 2, len(self._base)), np.float32)
        for first in range(0, len(self._base), _FIT_ROWS):
            short, squares = self._shorten(self._base[first : first + _FIT_ROWS])
            bounding[:-1, first : first + len(short)] = -2 * short.T[:-1]
            bounding[-1, first : first + len(short)] = squares
        self._bounding, self._farthest = bounding, float(bounding[-1].max())

    def _shorten(self, rows: Float32) -> tuple[Float32, Float32]:
        """Parts along the main directions, length of the rest, and 1: (n, 65); squared length of the whole (n,)."""
        centred = rows - self._mean
        short = np.ones((len(rows), DIRECTIONS + 2), np.float32)
        along = np.matmul(centred, self._directions, out=short[:, :DIRECTIONS])
        whole = np.einsum("nf,nf->n", centred, centred)
        short[:, DIRECTIONS] = np.sqrt(np.maximum(whole - np.einsum("nf,nf->n", along, along), 0))
        return short, whole

    def search(self, rows: Float32) -> Int32:
        """Indices (n, K) of the nearest rows of the base by Euclidean distance, nearest first, for rows (n, F)."""
        rows = np.ascontiguousarray(rows, np.float32)
        if self._bounding is None:
            return np.stack([self._nearest(row, *self._whole(row)) for row in rows])
        short, squares = self._shorten(rows)
        bounds = short @ self._bounding
        bounds += squares[:, None]
        # All rows of a call together, as it is the number of numpy's calls that costs: those with the least bounds are
        # measured, and the next least bound says whether others need to be.
        count, looked_at = self._neighbours, _LOOKED_AT * self._neighbours
        looked = np.argpartition(bounds, looked_at, axis=1)[:, : looked_at + 1]
        distances = self._measure(rows[:, None], looked[:, :-1])
        order = distances.argsort(axis=1)[:, : count + 1]
        ordered = np.take_along_axis(distances, order, axis=1)
        limits = ordered[:, count - 1] + _SLACK * (squares + self._farthest)
        others = np.take_along_axis(bounds, looked[:, -1:], axis=1)
        tied = ordered[:, 1:] - ordered[:, :-1] < _tie(rows)[:, None]
        found = np.take_along_axis(looked, order[:, :count], axis=1).astype(np.int32)
        for i in np.flatnonzero((others[:, 0] <= limits) | tied.any(axis=1)):
            found[i] = self._nearest(rows[i], *self._possible(rows[i], bounds[i], limits[i]))
        return found

    def _possible(self, row: Float32, bounds: Float32, limit: np.float32) -> tuple[Indices, Float32]:
        """Rows among which the nearest are, in order, and their squared distances.

        bounds (N,): the least that each can be; the K-th nearest is within `limit`.
        """
        possible = np.flatnonzero(bounds <= limit)
        if len(possible) > _MEASURED_MOST:
            return self._whole(row)
        return possible, self._measure(row, possible)

    def _measure(self, row: Float32, candidates: Indices) -> Float32:
        """Squared distances (..., n) from `row` to rows `candidates` (..., n) of the base."""
        apart = self._base.take(candidates, axis=0)
        apart -= row
        squares: Float32 = np.einsum("...f,...f->...", apart, apart)
        return squares

    def _whole(self, row: Float32) -> tuple[Indices, Float32]:
        """The nearest rows and all that tie with them, and their squared distances, by measuring every distance."""
        blocks = (self._base[first : first + _READ_ROWS] - row for first in range(0, len(self._base), _READ_ROWS))
        distances = np.concatenate([np.einsum("nf,nf->n", apart, apart) for apart in blocks])
        farthest = np.partition(distances, self._neighbours - 1)[self._neighbours - 1]
        found = np.flatnonzero(distances <= farthest + _tie(row))
        return found, distances[found]

    def _nearest(self, row: Float32, candidates: Indices, distances: Float32) -> Int32:
        """The K nearest of the candidates, in order; near ties as the published code breaks them."""
        order = distances.argsort(kind="stable")  # candidates that are equally far stay in their order
        ordered = distances[order]
        count, tie = self._neighbours, _tie(row)
        end = int(ordered.searchsorted(ordered[count - 1] + tie, side="right"))
        nearest = candidates[order[:end]]
        if (ordered[1:end] - ordered[: end - 1] < tie).any():
            nearest = nearest[np.lexsort((nearest, published_distances(row, self._base[nearest])))]
        return nearest[:count].astype(np.int32)


def _tie(rows: Float32) -> Float32:
    """Squared distances from rows (..., F) that differ by less are a near tie."""
    squares: Float32 = np.einsum("...f,...f->...", rows, rows)
    return _TIE * 2 * squares


def published_distances(row: Float32, near: Float32) -> Float32:
    """Squared distances (n,) from row (F,) to near (n, F) as |x|² + |b|² − 2 x·b, rounded as in the published code.

    It has every dot product from a matrix product: fused multiply-adds one after the other, a new sum begun after
    each 256. A fused multiply-add is one rounding of an exact product and a sum, which double precision can do.
    """
    padded = np.zeros((len(near), -(-row.size // _CHAIN) * _CHAIN))
    padded[:, : row.size] = near.astype(np.float64) * row
    chains = padded.reshape(len(near), -1, _CHAIN)
    total = np.zeros(chains.shape[:2], np.float32)
    for step in range(_CHAIN):
        total = (total + chains[..., step]).astype(np.float32)
    dots = np.zeros(len(near), np.float32)
    for chain in total.T:
        dots += chain
    squares: Float32 = np.square(row).sum() + np.square(near).sum(1)
    return squares - 2 * dots

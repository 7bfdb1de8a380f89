"""Exact neighbours: what measuring every row in double precision gives, on bases that are kind to bounds and not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsp_cam.stages.neighbours import NeighbourSearch, published_distances

ROWS = 3072


def smooth_base(rng: Any) -> Any:
    """Rows near a curved sheet of few dimensions, as speech features are."""
    return np.tanh(rng.standard_normal((ROWS, 6)) @ rng.standard_normal((6, 512)) / 2) + 0.05 * rng.standard_normal(
        (ROWS, 512)
    )


def scattered_base(rng: Any) -> Any:
    """Rows without any main direction: bounds exclude next to nothing."""
    return rng.standard_normal((ROWS, 512))


def doubled_base(rng: Any) -> Any:
    """Every row three times."""
    return np.repeat(smooth_base(rng)[: ROWS // 3], 3, axis=0)


@pytest.mark.parametrize("make", [smooth_base, scattered_base, doubled_base])
@pytest.mark.parametrize("neighbours", [1, 10, 40])
def test_neighbours_are_the_nearest_rows(make: Any, neighbours: int) -> None:
    rng = np.random.default_rng(2)
    base = make(rng).astype(np.float32)
    rows = np.concatenate([base[:6], base[6:12] + 0.3 * rng.standard_normal((6, 512)), 5 + base[:2]]).astype(np.float32)
    found = NeighbourSearch(base, neighbours).search(rows)
    squares = ((base.astype(np.float64)[None] - rows[:, None]) ** 2).sum(-1)
    wanted = np.sort(squares, axis=1)[:, :neighbours]
    assert found.dtype == np.int32
    assert all(len(set(near)) == neighbours for near in found.tolist())
    tie = 1e-5 * (rows.astype(np.float64) ** 2).sum(1, keepdims=True)
    assert (np.abs(np.take_along_axis(squares, found.astype(np.int64), 1) - wanted) < tie).all()


def test_small_and_large_bases_are_searched_alike() -> None:
    rng = np.random.default_rng(3)
    base = smooth_base(rng).astype(np.float32)
    rows = (base[:40] + 0.2 * rng.standard_normal((40, 512))).astype(np.float32)
    large = NeighbourSearch(base, 10).search(rows)
    kept = np.unique(np.r_[large.ravel(), np.arange(200)])
    small = NeighbourSearch(base[kept], 10).search(rows)
    np.testing.assert_array_equal(kept[small], large)


def test_a_near_tie_goes_as_the_published_sum_rounds() -> None:
    rng = np.random.default_rng(4)
    row = rng.uniform(-1, 1, 512).astype(np.float32)
    pair = row + (rng.standard_normal((400, 512)) / np.sqrt(512)).astype(np.float32)
    pair = (row + (pair - row) / np.linalg.norm(pair - row, axis=1, keepdims=True)).astype(np.float32)
    found = NeighbourSearch(pair, 5).search(row[None])[0]
    published = published_distances(row, pair)
    np.testing.assert_array_equal(found, np.lexsort((np.arange(400), published))[:5])


def test_published_distances_are_squared_distances() -> None:
    rng = np.random.default_rng(5)
    row, near = rng.standard_normal(512).astype(np.float32), rng.standard_normal((9, 512)).astype(np.float32)
    np.testing.assert_allclose(published_distances(row, near), ((near - row) ** 2).sum(1), rtol=1e-5)

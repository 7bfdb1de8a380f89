"""The four candidate images by the paper's rule (section 3.4)."""

import numpy as np
from numpy.typing import NDArray

from lsp_cam.train.landmarks import LIPS_OUTER
from lsp_cam.train.tracked import Array

RANK = 100


def ring_area(points: Array) -> Array:
    """Areas (T,) of the polygons points (T, P, 2)."""
    x, y = points[..., 0], points[..., 1]
    crossed = x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)
    return np.asarray(np.abs(crossed.sum(axis=1)) / 2)


def candidate_frames(points: Array, angles: NDArray[np.floating]) -> list[int]:
    """Four frames: the 100th smallest and largest mouth, and the nearest to thirds of the x- and y-rotation.

    points (T, 73, 3), head-fixed; angles (T, 3) in degrees. A short clip counts fewer from either end.
    """
    by_area = np.argsort(ring_area(points[:, list(LIPS_OUTER), :2]), kind="stable")
    rank = min(RANK, len(points) // 4)
    chosen = [int(by_area[rank - 1]), int(by_area[-rank])]
    low, high = angles[:, :2].min(axis=0), angles[:, :2].max(axis=0)
    for share in (1 / 3, 2 / 3):
        wanted = low + share * (high - low)
        chosen.append(int(np.abs((angles[:, :2] - wanted) / (high - low)).sum(axis=1).argmin()))
    return chosen

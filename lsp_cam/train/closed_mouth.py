"""The mouth of a subject who is silent, from the tracked sequence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..stages.landmarks import (
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
)

# The most closed frames of the sequence: enough of them that no single one's tracking noise decides.
CLOSED_SHARE = 0.05
FEWEST_FRAMES = 25

Float64 = NDArray[np.float64]


def closed_mouth(tracked: NDArray[np.floating], mean_points: NDArray[np.floating]) -> Float64:
    """Points 46..63 (18, 3) of the closed mouth, about `mean_points` (73, 3), from `tracked` (T, 73, 3).

    The median of the frames whose inner lips are least apart, about the sequence's own mean; then the lips are
    brought together, or apart where they cross, until the inner ones touch. The outer ones follow by the mean way.
    """
    clip = np.asarray(tracked, np.float64)
    gaps = (clip[:, LIPS_INNER_UPPER, 1] - clip[:, LIPS_INNER_LOWER, 1]).mean(axis=1)
    chosen = np.argsort(gaps, kind="stable")[: max(FEWEST_FRAMES, round(CLOSED_SHARE * len(clip)))]
    points: Float64 = np.asarray(mean_points, np.float64) + np.median(clip[chosen], axis=0) - clip.mean(axis=0)
    upper, lower = list(LIPS_INNER_UPPER), list(LIPS_INNER_LOWER)
    way = (points[upper, 1] - points[lower, 1]) / 2
    points[list(LIPS_OUTER_UPPER), 1] -= way.mean()
    points[list(LIPS_OUTER_LOWER), 1] += way.mean()
    touching = (points[upper] + points[lower]) / 2
    points[upper] = points[lower] = touching
    return points[list(LIPS)]

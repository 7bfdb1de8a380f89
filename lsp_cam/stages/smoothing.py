"""Gaussian smoothing over time: of a whole clip as published, and of a stream with a stated lag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
TRUNCATE_SIGMAS = 4.0


def radius_frames(sigma_frames: float) -> int:
    """How far the Gaussian reaches to either side, rounded as scipy rounds."""
    return int(TRUNCATE_SIGMAS * sigma_frames + 0.5)


def weights_at(offsets: NDArray[np.int64], sigma_frames: float) -> Float64:
    """Weights (K,) of the frames at `offsets` (K,) from the smoothed one; they sum to 1. Sigma 0 smooths nothing."""
    if sigma_frames == 0:
        return np.asarray(offsets == 0, np.float64)
    weights = np.exp(-0.5 * (offsets / sigma_frames) ** 2)
    weights[np.abs(offsets) > radius_frames(sigma_frames)] = 0.0
    total: np.float64 = weights.sum()
    return np.asarray(weights / total, np.float64)


def smooth_clip(values: NDArray[np.floating], sigma_frames: float) -> Float64:
    """`values` (T, C) smoothed over all T, the ends reflected (the frame at the end twice), in float64."""
    radius = radius_frames(sigma_frames)
    clip = np.asarray(values, np.float64)
    if radius == 0 or len(clip) == 0:
        return clip.copy()
    weights = weights_at(np.arange(-radius, radius + 1), sigma_frames)
    padded = np.pad(clip, ((radius, radius), (0, 0)), mode="symmetric")
    out = np.zeros_like(clip)
    for weight, start in zip(weights, range(2 * radius + 1), strict=True):
        out += weight * padded[start : start + len(clip)]
    return out


class StreamGaussian:
    """The Gaussian of a stream: cut off `look_ahead_frames` after the smoothed frame, whole before it.

    One sigma for each of C columns, or one for all. A window (L, C) holds the last L values, oldest first;
    what was before the stream is its first value.
    """

    def __init__(self, sigmas_frames: Sequence[float], look_ahead_frames: int = 0) -> None:
        offsets = np.arange(-max(radius_frames(s) for s in sigmas_frames), look_ahead_frames + 1)
        self._weights = np.stack([weights_at(offsets, s) for s in sigmas_frames], axis=1)
        self.lag_frames: Float64 = -(offsets[:, None] * self._weights).sum(axis=0)

    def begin(self, first: Float64) -> Float64:
        """The window of a stream that has always been at `first` (C,)."""
        return np.repeat(first[None], len(self._weights), axis=0)

    def push(self, window: Float64, value: Float64) -> Float64:
        """The window one frame later, `value` (C,) its newest; written in place."""
        window[:-1] = window[1:]
        window[-1] = value
        return window

    def smooth(self, window: Float64) -> Float64:
        """The smoothed value (C,) of the frame `look_ahead_frames` before the newest."""
        out: Float64 = (self._weights * window).sum(axis=0)
        return out

"""Filtering over time, without lag and never across a cut: parabolas are fitted to a few frames around each."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from lsp_cam.train.prepare.cuts import Segment

DEGREE = 2


def parabolic(values: NDArray[np.float64], segments: list[Segment], frames: float) -> NDArray[np.float64]:
    """Values (T, ...) after a Savitzky-Golay filter over about `frames` frames; NaN outside of segments.

    What bends no faster than a parabola over the window passes as it is, at the ends too.
    """
    window, out = odd(frames), np.full_like(values, np.nan)
    for first, last in segments:
        part = values[first:last]
        length = min(window, len(part) - (len(part) + 1) % 2)
        out[first:last] = savgol_filter(part, length, DEGREE, axis=0) if length > DEGREE else part
    return out


def odd(frames: float) -> int:
    """The odd number of frames nearest to `frames`."""
    return 2 * round((frames - 1) / 2) + 1

"""Finding the invisible mark (`watermark.py`) in a video or picture, at a stated rate of false alarms.

The pictures of a few seconds are averaged, cleared of what is broader than some cells, and folded onto one tile.
For each cell size and each shift, the evidence is the correlation z = sum(chip * y) / |y| of what was folded with
the pattern. In a video without the mark y knows nothing of the pattern, whose chips are fair and independent, so
that P(z > t) <= exp(-t^2 / 2), whatever the video (Hoeffding's inequality): the threshold is the t at which this,
summed over everything that is tried, stays below `FALSE_ALARMS`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import UsageError
from ..packets import Float32
from .watermark import TILE, chips

FALSE_ALARMS = 1e-6  # for one file, at most
CELL_PX = 4  # pictures are brought to cells of this size
SIDE = TILE * CELL_PX
BROAD_CELLS = 3
CLIP = 2.0  # of the median: a few strong edges must not outvote the rest
# Cells along the shorter side: 64 as made, fewer in a part of a picture, more where it was padded.
CELL_COUNTS = 72.0 * 0.99 ** np.arange(50)
SMALLEST_PX = 64
BITS = 64
WINDOW_FRAMES = 150
STRIDE_FRAMES = 3
FOLDS = 2  # as it is, and mirrored


@dataclass(frozen=True)
class Finding:
    """The strongest evidence `z` for the mark, and the `threshold` above which it counts.

    `error_rate`: share of the mark's 64 bits (16 cells each) that read wrong where the evidence is strongest.
    """

    z: float
    threshold: float
    error_rate: float

    @property
    def is_marked(self) -> bool:
        return self.z > self.threshold


def threshold(window: int) -> float:
    """The z that the `window`-th stretch of a file (1, 2, ...) must exceed."""
    tried = len(CELL_COUNTS) * SIDE * SIDE * FOLDS
    return math.sqrt(2 * math.log(tried * window * (window + 1) / FALSE_ALARMS))


def find_mark(luma: Float32, window: int = 1) -> Finding:
    """The evidence in `luma` (H, W), 0 to 255: a picture, or the average of several."""
    best = Finding(0.0, threshold(window), 0.5)
    if min(luma.shape) < SMALLEST_PX:
        return best
    for count in CELL_COUNTS:
        folded = _folded(luma, CELL_PX * float(count) / min(luma.shape))
        strength = np.tile(np.sqrt((_phases(folded) ** 2).sum(axis=(0, 2))) + 1e-9, (TILE, TILE))
        spectrum = np.fft.rfft2(folded)
        for sign_spectrum, signs in _references():
            z = np.fft.irfft2(spectrum * sign_spectrum, (SIDE, SIDE)) / strength
            at = int(z.argmax())
            if z.flat[at] > best.z:
                down, right = divmod(at, SIDE)
                cells = np.roll(folded, (-down, -right), (0, 1))[::CELL_PX, ::CELL_PX]
                best = Finding(float(z.flat[at]), best.threshold, _error_rate(cells * signs))
    return best


def inspect_video(path: Path) -> Finding:
    """The first stretch of a video (or picture) that is marked, else the one nearest to it.

    UsageError if it cannot be read.
    """
    best: Finding | None = None
    for window, luma in enumerate(_averages(path), 1):
        found = find_mark(luma, window)
        if best is None or found.is_marked or found.z - found.threshold > best.z - best.threshold:
            best = found
        if best.is_marked:
            break
    if best is None:
        raise UsageError(f"{path} holds no picture. Name a video or a picture.")
    return best


def _folded(luma: Float32, scale: float) -> Float32:
    """One tile (SIDE, SIDE): the sum of all tiles of the picture, brought to cells of CELL_PX pixels."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    x = cv2.resize(luma, None, None, scale, scale, how)
    detail = cv2.blur(x, (CELL_PX, CELL_PX)) - cv2.blur(x, (BROAD_CELLS * CELL_PX, BROAD_CELLS * CELL_PX))
    most = CLIP * float(np.median(np.abs(detail))) + 1e-6
    height, width = (-(-side // SIDE) for side in x.shape)
    whole = np.zeros((height * SIDE, width * SIDE), np.float32)
    whole[: x.shape[0], : x.shape[1]] = detail.clip(-most, most)
    return np.asarray(whole.reshape(height, SIDE, width, SIDE).sum(axis=(0, 2)), np.float32)


def _phases(folded: Float32) -> Float32:
    return folded.reshape(TILE, CELL_PX, TILE, CELL_PX)


@cache
def _references() -> tuple[tuple[Any, Float32], ...]:
    """The pattern as it is and mirrored: its conjugate spectrum at one pixel a cell, and its chips."""
    found = []
    for signs in (chips(), np.ascontiguousarray(chips()[:, ::-1])):
        sparse = np.zeros((SIDE, SIDE), np.float32)
        sparse[::CELL_PX, ::CELL_PX] = signs
        found.append((np.conj(np.fft.rfft2(sparse)), signs))
    return tuple(found)


def _error_rate(votes: Float32) -> float:
    """Share of the bits whose cells together vote against the pattern; bit k has every 64th cell from the k-th on."""
    return float((votes.reshape(-1, BITS).sum(axis=0) <= 0).mean())


def _averages(path: Path) -> Iterator[Float32]:
    """The average of every stretch of WINDOW_FRAMES pictures; one size each."""
    total: Float32 | None = None
    count = 0
    for number, luma in enumerate(_lumas(path)):
        if total is not None and (luma.shape != total.shape or number % (WINDOW_FRAMES // STRIDE_FRAMES) == 0):
            yield total * np.float32(1 / count)
            total = None
        total, count = (luma, 1) if total is None else (total + luma, count + 1)
    if total is not None:
        yield total * np.float32(1 / count)


def _lumas(path: Path) -> Iterable[Float32]:
    """Every third picture's brightness (H, W) float32. A file that breaks off is read up to there."""
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UsageError(f"{path} holds no picture. Name a video or a picture.")
            number = 0
            try:
                for frame in container.decode(video=0):
                    if number % STRIDE_FRAMES == 0:
                        yield frame.to_ndarray(format="gray").astype(np.float32)
                    number += 1
            except av.error.FFmpegError:
                if not number:
                    raise
    except (av.error.FFmpegError, OSError) as error:
        raise UsageError(f"{path} cannot be read as a video or picture ({error}).") from None

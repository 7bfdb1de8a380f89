"""Where a clip is cut: pictures that change as nothing that moves does."""

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
THUMB = 48
NEAR = 6  # frames to either side that tell how much the picture changes anyway
SUDDEN = 4.0  # times as much change as there
VISIBLE = 1.2  # grey levels: compression makes more change than this in no still picture


class Segment(NamedTuple):
    """Frames first .. last - 1, all good and without a cut between them."""

    first: int
    last: int


def changes(frames: NDArray[np.uint8]) -> Array:
    """How much (T,) each picture differs from the one before it, in grey levels of small versions."""
    small = np.empty((len(frames), THUMB, THUMB), np.float32)
    for k, frame in enumerate(frames):
        grey = cv2.cvtColor(np.asarray(frame), cv2.COLOR_RGB2GRAY)
        small[k] = cv2.resize(grey, (THUMB, THUMB), None, 0, 0, cv2.INTER_AREA)
    return np.concatenate([[0.0], np.abs(np.diff(small, axis=0)).mean(axis=(1, 2))])


def find_cuts(change: Array) -> list[int]:
    """Numbers of the pictures that begin something new."""
    cuts = []
    for k in range(1, len(change)):
        near = np.r_[change[max(1, k - NEAR) : k], change[k + 1 : k + 1 + NEAR]]
        usual = float(np.median(near)) if len(near) else 0.0
        if change[k] > max(VISIBLE, SUDDEN * usual):
            cuts.append(k)
    return cuts


def segments_of(good: NDArray[np.bool_], cuts: list[int], shortest: int) -> list[Segment]:
    """Runs of good frames between cuts; what is shorter than `shortest` frames is left out."""
    edges = sorted({0, len(good), *cuts})
    found = []
    for begin, end in pairwise(edges):
        inside = np.r_[False, good[begin:end], False].astype(np.int8)
        starts, ends = np.flatnonzero(np.diff(inside) == 1), np.flatnonzero(np.diff(inside) == -1)
        found += [
            Segment(begin + int(a), begin + int(b)) for a, b in zip(starts, ends, strict=True) if b - a >= shortest
        ]
    return found

"""The invisible mark: a fixed pattern of faint light and dark cells, added to the brightness of every picture.

`CELLS` cells lie along the shorter side, whatever its length, and the pattern repeats after `TILE` cells both ways:
a part of a picture holds it too, and so does a picture of another size. It says "made by lsp-cam" and nothing else:
not who is shown, not by whom. `detect.py` finds it again.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ..packets import Float32, UInt8

CELLS = 64
TILE = 32
STRENGTH = 1.6  # levels of 255, at the middle of a cell; about 45 dB below the picture
SMALLEST_PX = 128  # a cell of less than two pixels does not survive anything
SEED = 2021


def chips() -> Float32:
    """The pattern: (TILE, TILE) of -1 and 1. Everybody may know it; it is no secret but a signature."""
    bits = np.random.Generator(np.random.PCG64(SEED)).integers(0, 2, (TILE, TILE))
    return (2 * bits - 1).astype(np.float32)


def pattern(height: int, width: int) -> NDArray[np.int8]:
    """What is added to every channel of a picture: (height, width), levels from -2 to 2."""
    cell_px = min(height, width) / CELLS
    repeats = [int(side / cell_px / TILE) + 2 for side in (height, width)]
    place = np.array([[cell_px, 0, cell_px / 2 - 0.5], [0, cell_px, cell_px / 2 - 0.5]])
    smooth = cv2.warpAffine(
        np.tile(chips(), repeats), place, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(np.rint(STRENGTH * smooth).clip(-2, 2), np.int8)


class Watermark:
    """The mark for pictures of `height` x `width`, made once; smaller ones than `SMALLEST_PX` stay as they are."""

    def __init__(self, height: int, width: int) -> None:
        added = pattern(height, width)[..., None].repeat(3, axis=2)
        # Two saturating operations on bytes cost a fifth of one on signed numbers.
        self._lighter = added.clip(0, None).astype(np.uint8)
        self._darker = (-added).clip(0, None).astype(np.uint8)
        self._too_small = min(height, width) < SMALLEST_PX

    def add(self, rgb: UInt8) -> UInt8:
        """A copy of `rgb` (height, width, 3) with the mark."""
        if self._too_small:
            return rgb.copy()
        marked = cv2.add(rgb, self._lighter)
        return np.asarray(cv2.subtract(marked, self._darker, dst=marked), np.uint8)

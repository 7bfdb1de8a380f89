"""A picture of one shape in a frame of another: whole, centred, before a backdrop."""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import DeviceError
from ..packets import UInt8
from .backdrop import Backdrop, Blurred, Place


def even(size: int) -> int:
    """`size` pixels, made even: 4:2:0 video has one colour sample for two pixels. Never less than 2."""
    return max(2, size - size % 2)


class Fitter:
    """Fits frames of any size into `width` x `height`, before `backdrop` (None: their own edges, blurred).

    One thread; the answer is overwritten by the next call.
    """

    def __init__(self, width: int, height: int, backdrop: Backdrop | None = None) -> None:
        if not (2 <= width <= 8192 and 2 <= height <= 8192):
            raise DeviceError(f"A frame of {width}x{height} pixels is not possible. Choose 2 to 8192 each way.")
        self.width = width
        self.height = height
        self._backdrop = backdrop or Blurred()
        self._canvas = np.zeros((height, width, 3), np.uint8)

    def fit(self, rgb: UInt8) -> UInt8:
        """(H, W, 3) to (height, width, 3) uint8; the frame itself if it has that size.

        Raises DeviceError for what is not such a picture.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
            raise DeviceError(f"A frame must be (H, W, 3) uint8, not {rgb.shape} {rgb.dtype}.")
        if rgb.shape[:2] == (self.height, self.width):
            return rgb
        scale = min(self.width / rgb.shape[1], self.height / rgb.shape[0])
        inner = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
        place = Place((self.width - inner[0]) // 2, (self.height - inner[1]) // 2, *inner)
        how = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR  # INTER_AREA costs 5 ms where LINEAR costs 0.5
        picture = rgb if scale == 1 else cv2.resize(rgb, inner, None, 0, 0, how)
        self._canvas[place.top : place.top + inner[1], place.left : place.left + inner[0]] = picture
        if inner != (self.width, self.height):
            self._backdrop.paint(self._canvas, place)
        return self._canvas

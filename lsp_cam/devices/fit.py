"""A picture of one shape in a frame of another: whole, centred, over a blurred, darkened copy of itself."""

from __future__ import annotations

import cv2
import numpy as np

from ..errors import DeviceError
from ..packets import UInt8

BACKDROP_LIGHT = 0.45
BACKDROP_ROWS = 36  # the backdrop is made this small, so blurring it costs next to nothing


def even(size: int) -> int:
    """`size` pixels, made even: 4:2:0 video has one colour sample for two pixels. Never less than 2."""
    return max(2, size - size % 2)


class Fitter:
    """Fits frames of any size into `width` x `height`. One thread; the answer is overwritten by the next call."""

    def __init__(self, width: int, height: int) -> None:
        if not (2 <= width <= 8192 and 2 <= height <= 8192):
            raise DeviceError(f"A frame of {width}x{height} pixels is not possible. Choose 2 to 8192 each way.")
        self.width = width
        self.height = height
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
        if inner != (self.width, self.height):
            self._fill(rgb, inner)
        x, y = (self.width - inner[0]) // 2, (self.height - inner[1]) // 2
        how = cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR  # INTER_AREA costs 5 ms where LINEAR costs 0.5
        picture = rgb if scale == 1 else cv2.resize(rgb, inner, None, 0, 0, how)
        self._canvas[y : y + inner[1], x : x + inner[0]] = picture
        return self._canvas

    def _fill(self, rgb: UInt8, inner: tuple[int, int]) -> None:
        """Paint the backdrop, but only the two strips that the picture leaves free."""
        rows = min(BACKDROP_ROWS, self.height)
        small = cv2.resize(rgb, (max(2, rows * self.width // self.height), rows), None, 0, 0, cv2.INTER_AREA)
        small = cv2.convertScaleAbs(cv2.GaussianBlur(small, (0, 0), 2.0), None, BACKDROP_LIGHT, 0.0)
        width, height = inner
        if width < self.width:
            columns = -(-(self.width - width) // 2)
            part = max(1, round(small.shape[1] * columns / self.width))
            self._canvas[:, :columns] = cv2.resize(small[:, :part], (columns, self.height))
            self._canvas[:, -columns:] = cv2.resize(small[:, -part:], (columns, self.height))
        else:
            lines = -(-(self.height - height) // 2)
            part = max(1, round(small.shape[0] * lines / self.height))
            self._canvas[:lines] = cv2.resize(small[:part], (self.width, lines))
            self._canvas[-lines:] = cv2.resize(small[-part:], (self.width, lines))

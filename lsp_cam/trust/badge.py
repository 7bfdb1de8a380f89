"""The visible mark: a few words in the lower left corner of a picture."""

from __future__ import annotations

import cv2
import numpy as np

from ..packets import UInt8

FONT = cv2.FONT_HERSHEY_SIMPLEX
HEIGHT_SHARE = 0.026  # of the picture's height, of a capital letter
WIDTH_SHARE = 0.9  # of the picture's width, at most
SHADE = 0.45  # how much of the picture is left behind the words
WHITE = (255, 255, 255)


class Badge:
    """`words` for pictures of `height` x `width`: a dark plate with white letters, drawn once and laid on each."""

    def __init__(self, words: str, height: int, width: int) -> None:
        scale = HEIGHT_SHARE * height / cv2.getTextSize("A", FONT, 1.0, 1)[0][1]
        full = cv2.getTextSize(words, FONT, 1.0, 1)[0][0]
        scale = min(scale, WIDTH_SHARE * width / max(full, 1))
        (across, up), below = cv2.getTextSize(words, FONT, scale, 1)
        rim = max(2, up // 2)
        plate = np.zeros((min(up + below + 2 * rim, height), min(across + 2 * rim, width), 3), np.uint8)
        cv2.putText(plate, words, (rim, rim + up), FONT, scale, WHITE, 1, cv2.LINE_AA)
        self._letters = plate

    def draw(self, rgb: UInt8) -> None:
        """Lay the badge on `rgb` (H, W, 3), which is changed."""
        rows, columns = self._letters.shape[:2]
        corner = rgb[-rows:, :columns]
        corner[:] = cv2.add(cv2.convertScaleAbs(corner, None, SHADE, 0.0), self._letters)

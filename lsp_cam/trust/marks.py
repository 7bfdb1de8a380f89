"""What every picture that leaves carries: the invisible mark, and the badge where it must."""

from __future__ import annotations

from ..packets import UInt8
from .badge import Badge
from .watermark import Watermark


class Marker:
    """Marks pictures of any size; keeps what the last size needed. One thread."""

    def __init__(self) -> None:
        self._size: tuple[int, ...] = ()
        self._watermark = Watermark(1, 1)
        self._words = ""
        self._badge: Badge | None = None

    def mark(self, rgb: UInt8, badge: str = "") -> UInt8:
        """A copy of `rgb` (H, W, 3) with the invisible mark, and the words of `badge` ("": no badge)."""
        if rgb.shape != self._size:
            self._size, self._words = rgb.shape, ""
            self._watermark = Watermark(*rgb.shape[:2])
        marked = self._watermark.add(rgb)
        if badge:
            if self._badge is None or self._words != badge:
                self._words, self._badge = badge, Badge(badge, *rgb.shape[:2])
            self._badge.draw(marked)
        return marked

"""What every picture that leaves carries: the badge, where it must."""

from __future__ import annotations

from ..packets import UInt8
from .badge import Badge


class Marker:
    """Marks pictures of any size; keeps what the last size needed. One thread."""

    def __init__(self) -> None:
        self._badge: tuple[str, tuple[int, ...], Badge] | None = None

    def mark(self, rgb: UInt8, badge: str = "") -> UInt8:
        """A copy of `rgb` (H, W, 3) with the words of `badge` on it ("": no badge)."""
        marked = rgb.copy()
        if badge:
            if self._badge is None or self._badge[:2] != (badge, rgb.shape):
                self._badge = (badge, rgb.shape, Badge(badge, *rgb.shape[:2]))
            self._badge[2].draw(marked)
        return marked

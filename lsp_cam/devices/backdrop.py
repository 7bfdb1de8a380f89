"""What fills a frame of another shape than the picture: its own blurred edges, a chosen picture, or one colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ..config import BLUR, colour_of
from ..errors import UsageError
from ..packets import Float32, UInt8

EDGE = 0.03
ROWS = 48  # the edge is made this small, so blurring it costs next to nothing
BLUR_ROWS = 2.5
SEAM = 0.06
OUTER_LIGHT = 0.7


@dataclass(frozen=True, slots=True)
class Place:
    """Where the picture lies in the frame, in pixels: `left`, `top`, `width`, `height`."""

    left: int
    top: int
    width: int
    height: int


class Backdrop(Protocol):
    """Paints around the picture, which lies in its place already. One thread."""

    def paint(self, canvas: UInt8, place: Place) -> None:
        """Fill what `place` leaves free of `canvas` (H, W, 3)."""
        ...


def backdrop_of(fill: str) -> Backdrop:
    """The backdrop that the setting `fill` names: blur, a colour, or a picture's path. UsageError if it is none."""
    if fill == BLUR:
        return Blurred()
    colour = colour_of(fill)
    if colour is not None:
        return Still(np.full((1, 1, 3), colour, np.uint8))
    return Still(_read(Path(fill).expanduser()))


class Still:
    """A picture (h, w, 3) RGB that covers the whole frame, its middle in the middle; or one pixel, for a colour."""

    def __init__(self, picture: UInt8) -> None:
        self._picture = picture
        self._covering: UInt8 = picture

    def paint(self, canvas: UInt8, place: Place) -> None:
        if self._covering.shape != canvas.shape:
            self._covering = _cover(self._picture, canvas.shape[1], canvas.shape[0])
        right, bottom = place.left + place.width, place.top + place.height
        for free in _free(place, right, bottom):
            canvas[free] = self._covering[free]


class Blurred:
    """The edges of the picture, blurred and drawn out to the frame's, as if the room went on; a little darker there.

    The seam is hidden: over `SEAM` of the picture's side it passes into its backdrop.
    """

    def __init__(self) -> None:
        self._ramps: dict[tuple[int, ...], tuple[UInt8, Float32]] = {}

    def paint(self, canvas: UInt8, place: Place) -> None:
        height, width = canvas.shape[:2]
        right, bottom = width - place.left - place.width, height - place.top - place.height
        if place.width < width:
            seam, edge = _share(SEAM, place.width), _share(EDGE, place.width)
            self._strip(canvas[:, : place.left + seam], place.left, edge, axis=1, first=True)
            self._strip(canvas[:, width - right - seam :], right, edge, axis=1, first=False)
        if place.height < height:
            seam, edge = _share(SEAM, place.height), _share(EDGE, place.height)
            self._strip(canvas[: place.top + seam], place.top, edge, axis=0, first=True)
            self._strip(canvas[height - bottom - seam :], bottom, edge, axis=0, first=False)

    def _strip(self, strip: UInt8, free: int, edge: int, axis: int, first: bool) -> None:
        """Paint what is `free` of a strip at one side of the frame; its other end is the picture's seam.

        `edge`: how much of the picture is drawn out; `axis`: along which both are measured (1: the strip is at the
        left or right); `first`: the free part comes first.
        """
        if free == 0:  # an odd pixel is left over
            return
        seam = strip.shape[axis] - free
        inside = slice(free, free + edge) if first else slice(max(seam - edge, 0), seam)
        drawn = _drawn_out(strip[:, inside] if axis else strip[inside], strip.shape[1], strip.shape[0], axis)
        light, weight = self._ramp(strip.shape[0], strip.shape[1], free, axis, first)
        drawn = np.asarray(cv2.multiply(drawn, light, None, 1 / 255), np.uint8)
        outer, inner = (slice(0, free), slice(free, None)) if first else (slice(seam, None), slice(0, seam))
        at_seam = (slice(None), inner) if axis else (inner, slice(None))
        outside = (slice(None), outer) if axis else (outer, slice(None))
        strip[outside] = drawn[outside]
        picture, backdrop = (np.ascontiguousarray(part[at_seam]) for part in (strip, drawn))
        strip[at_seam] = cv2.blendLinear(backdrop, picture, weight, 1 - weight)

    def _ramp(self, height: int, width: int, free: int, axis: int, first: bool) -> tuple[UInt8, Float32]:
        """For a strip: how light it is (height, width, 3), 255: unchanged; the backdrop's weight in its seam."""
        key = (height, width, free, axis, first)
        if key not in self._ramps:
            seam = (width if axis else height) - free
            rising = np.linspace(OUTER_LIGHT, 1, free, endpoint=False)
            levels = np.rint(255 * np.concatenate([rising, np.ones(seam)])).astype(np.uint8)
            across = np.linspace(1, 0, seam + 2)[1:-1]
            eased = (across * across * (3 - 2 * across)).astype(np.float32)
            if not first:
                levels, eased = levels[::-1], eased[::-1]
            along = (None, slice(None)) if axis else (slice(None), None)
            seam_shape = (height, seam) if axis else (seam, width)
            self._ramps[key] = (
                np.ascontiguousarray(np.broadcast_to(levels[along][..., None], (height, width, 3))),
                np.ascontiguousarray(np.broadcast_to(eased[along], seam_shape)),
            )
        return self._ramps[key]


def _share(part: float, side: int) -> int:
    return max(1, round(part * side))


def _drawn_out(edge: UInt8, width: int, height: int, axis: int) -> UInt8:
    """The mean of `edge` across `axis`, blurred along it, as a picture of `width` x `height`."""
    line = (1, min(ROWS, height)) if axis else (min(ROWS, width), 1)
    small = cv2.resize(np.ascontiguousarray(edge), line, None, 0, 0, cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), BLUR_ROWS, None, BLUR_ROWS, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(blurred, (width, height), None, 0, 0, cv2.INTER_LINEAR), np.uint8)


def _free(place: Place, right: int, bottom: int) -> list[tuple[slice, slice]]:
    """Rows and columns of what a place leaves free: above, below, left, right."""
    beside = slice(place.top, bottom)
    return [
        (slice(0, place.top), slice(None)),
        (slice(bottom, None), slice(None)),
        (beside, slice(0, place.left)),
        (beside, slice(right, None)),
    ]


def _cover(picture: UInt8, width: int, height: int) -> UInt8:
    """`picture`, scaled until it covers the frame, and what stands out on both sides cut off."""
    scale = max(width / picture.shape[1], height / picture.shape[0])
    size = (max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale)))
    scaled = cv2.resize(picture, size, None, 0, 0, cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def _read(path: Path) -> UInt8:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise UsageError(
            f"The picture {path} that is to fill the frame cannot be read ({error.strerror}). "
            f"--fill takes {BLUR}, a colour like #203040 or grey, or the path of a picture."
        ) from None
    try:
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file
        picture = None
    if picture is None:
        raise UsageError(f"{path}, which is to fill the frame, is not a picture. Use a .png or .jpg file.")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)

"""Pictures of a bundle: decoded only when their header says that they are as large as they must be."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from ..errors import BundleError
from ..packets import UInt8

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_WEBP, _WEBP_FRAME = (b"RIFF", b"WEBPVP8 "), b"\x9d\x01\x2a"
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive: the marker that holds the size


def picture_size(data: bytes) -> tuple[int, int]:
    """Height and width in pixels from the header of a PNG, a JPEG or a plain lossy WebP; ValueError if it is none.

    WebP's other kinds (lossless, animated, with an alpha channel) are not taken: nobody here makes them.
    """
    if data.startswith(_PNG) and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return height, width
    if data.startswith(_WEBP[0]) and data[8:16] == _WEBP[1] and data[23:26] == _WEBP_FRAME and len(data) >= 30:
        width, height = (side & 0x3FFF for side in struct.unpack("<HH", data[26:30]))
        return height, width
    at = len(_JPEG)
    while data.startswith(_JPEG) and at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return height, width
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    raise ValueError("it is neither a PNG nor a JPEG nor a plain WebP")


def decode(data: bytes, largest_px: int) -> UInt8:
    """RGB (H, W, 3) of a picture of at most `largest_px` on a side; ValueError otherwise."""
    height, width = picture_size(data)
    if not 0 < min(height, width) <= max(height, width) <= largest_px:
        raise ValueError(f"it is {width} x {height} pixels")
    try:
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        picture = None
    if picture is None or picture.shape != (height, width, 3):
        raise ValueError("it is damaged")
    return np.asarray(picture, np.uint8)


def decode_square(data: bytes, size: int, what: str) -> UInt8:
    """RGB (size, size, 3); BundleError, which begins with `what`, if the picture is not of that size."""
    try:
        picture = decode(data, size)
        if picture.shape[:2] != (size, size):
            raise ValueError(f"it is {picture.shape[1]} x {picture.shape[0]} pixels")
    except ValueError as error:
        raise BundleError(f"{what} cannot be used: {error}, not a picture of {size} x {size}.") from None
    return picture

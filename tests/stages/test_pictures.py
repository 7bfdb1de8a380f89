"""Pictures: only what the header says is decoded."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest

from lsp_cam.errors import BundleError
from lsp_cam.stages.pictures import decode, decode_square, picture_size


def encoded(kind: str, height: int = 20, width: int = 30, quality: int = 90) -> bytes:
    rng = np.random.default_rng(1)
    how = [cv2.IMWRITE_WEBP_QUALITY, quality] if kind == ".webp" else []
    made, data = cv2.imencode(kind, rng.integers(0, 255, (height, width, 3), np.uint8), how)
    assert made
    return data.tobytes()


def huge_png() -> bytes:
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )


@pytest.mark.parametrize("kind", [".png", ".jpg", ".webp"])
def test_the_header_tells_the_size(kind: str) -> None:
    assert picture_size(encoded(kind)) == (20, 30)
    assert decode(encoded(kind), 30).shape == (20, 30, 3)


def test_colours_come_out_as_red_green_blue() -> None:
    made, data = cv2.imencode(".png", np.full((4, 4, 3), (10, 20, 30), np.uint8))  # blue, green, red
    assert made
    np.testing.assert_array_equal(decode(data.tobytes(), 4)[0, 0], [30, 20, 10])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "neither"),
        (b"GIF89a" + bytes(40), "neither"),
        (b"\xff\xd8\xff\xd9", "neither"),
        (b"\xff\xd8" + b"\xff\xe0\x00\x00" * 9, "neither"),
        (encoded(".png")[:60], "damaged"),
        (encoded(".webp")[:60], "damaged"),
        (encoded(".webp", quality=101), "neither"),  # lossless
        (encoded(".webp")[:29], "neither"),
        (huge_png(), "40000 x 40000"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(data, 64)


def test_a_picture_of_another_size_is_a_damaged_bundle() -> None:
    with pytest.raises(BundleError, match=r"may: 0\.png cannot be used: it is 30 x 20 pixels, not .* 32 x 32"):
        decode_square(encoded(".png"), 32, "may: 0.png")

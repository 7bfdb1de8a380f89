"""The test pattern: pictures that carry their number, a flash and a click at the same moment, once a second."""

from __future__ import annotations

import cv2
import numpy as np

from ..packets import SAMPLE_RATE_HZ, Float32, UInt8

BITS = 16
DARK, LIGHT = 24, 232
FLASH_S = 0.1
CLICK_S = 0.02
CLICK_HZ = 1000
LEVEL = 0.5
MARGIN = 0.1  # of the height: the strip of the number, at the top and in the middle of the width
CHECK = (1, 0, 1, 0)


def is_flash(number: int, fps: int) -> bool:
    """Whether picture `number` is one of those that flash; the first of them shows the moment of the click."""
    return number % fps < max(round(FLASH_S * fps), 1)


def picture(number: int, width: int, height: int, fps: int) -> UInt8:
    """Picture `number`, (height, width, 3) uint8: its number in a strip of squares above; light while it flashes."""
    frame = np.full((height, width, 3), LIGHT if is_flash(number, fps) else DARK, np.uint8)
    bits = [number >> (BITS - 1 - bit) & 1 for bit in range(BITS)] + list(CHECK)
    squares = np.array([bits], np.uint8) * (LIGHT - DARK) + DARK
    x, side = _strip(width, height)
    strip = cv2.resize(squares, (side * len(bits), side), interpolation=cv2.INTER_NEAREST)
    frame[:side, x : x + strip.shape[1]] = strip[..., None]
    # Something that moves for whoever looks on.
    place = round((height - side) * (0.5 + 0.4 * np.sin(2 * np.pi * number / fps)))
    cv2.circle(frame, (width // 2, side + place), side, (200, 120, 40), -1)
    return frame


def read_picture(frame: UInt8) -> tuple[int, bool] | None:
    """The number in a picture of the pattern, and whether it flashes; None if it is another picture."""
    height, width = frame.shape[:2]
    x, side = _strip(width, height)
    count = BITS + len(CHECK)
    centres = x + side * np.arange(count) + side // 2
    grey = frame.mean(axis=2)
    squares = grey[side // 4 : side - side // 4, :]
    bits = [int(squares[:, c - side // 4 : c + side // 4 + 1].mean() > (DARK + LIGHT) / 2) for c in centres]
    if tuple(bits[BITS:]) != CHECK:
        return None
    number = int("".join(map(str, bits[:BITS])), 2)
    corner = grey[height - side :, : width // 4].mean()
    return number, bool(corner > (DARK + LIGHT) / 2)


def clicks(first: int, count: int, every: int) -> Float32:
    """Samples (count,) from sample `first` on of a track that clicks at every `every`-th sample."""
    places = (np.arange(first, first + count)) % every
    tone = LEVEL * np.sin(2 * np.pi * CLICK_HZ * places / SAMPLE_RATE_HZ)
    return np.where(places < CLICK_S * SAMPLE_RATE_HZ, tone, 0.0).astype(np.float32)


def onsets(samples: Float32) -> list[int]:
    """The samples at which clicks begin in what was heard, (N,)."""
    loud = np.flatnonzero(np.abs(samples) > LEVEL / 5)
    if loud.size == 0:
        return []
    pause = round(5 * CLICK_S * SAMPLE_RATE_HZ)
    first = np.flatnonzero(np.diff(loud, prepend=loud[0] - 2 * pause) > pause)
    return [int(sample) for sample in loud[first] if sample > pause]


def _strip(width: int, height: int) -> tuple[int, int]:
    """Where the strip of squares begins, and how large a square is, in pixels."""
    side = max(min(int(MARGIN * height), width // (BITS + len(CHECK))), 4)
    return (width - side * (BITS + len(CHECK))) // 2, side

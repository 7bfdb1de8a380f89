"""Short clips that nobody is in: textures that move, with what a video suffers on its way."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from lsp_cam.packets import UInt8

FPS = 30


def clip(seed: int, frames: int = 24, size: int = 256) -> list[UInt8]:
    """A blurred, coloured background, and a textured disc that moves before it."""
    numbers = np.random.default_rng(seed)
    back, disc = _texture(numbers, size, 0.5), _texture(numbers, size, 1.0)
    y, x = np.mgrid[0:size, 0:size] - size / 2
    out = []
    for number in range(frames):
        dx, dy = 0.05 * size * np.sin(number / 5), 0.03 * size * np.cos(number / 7)
        moved = cv2.warpAffine(disc, np.array([[1, 0, dx], [0, 1, dy]]), (size, size), borderMode=cv2.BORDER_REFLECT)
        inside = ((x - dx) ** 2 + (y - dy) ** 2 < (0.3 * size) ** 2)[..., None]
        out.append(np.where(inside, moved, back).astype(np.uint8))
    return out


def _texture(numbers: np.random.Generator, size: int, sharpness: float) -> Any:
    """Blobs of all sizes, the smaller the fainter, as in pictures of the world."""
    whole = np.full((size, size, 3), numbers.uniform(60, 190), np.float32)
    for across in (3, 6, 12, 24, 48, 96):
        blobs = numbers.normal(0, 110 / across ** (1.4 - 0.4 * sharpness), (across, across, 3)).astype(np.float32)
        whole += cv2.resize(blobs, (size, size), interpolation=cv2.INTER_CUBIC)
    return whole.clip(0, 255)


def encoded(frames: list[UInt8], kbit_s: int = 300) -> bytes:
    """An MP4 of the frames (H, W, 3), H.264 at `kbit_s`."""
    buffer = io.BytesIO()
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    rate = {"maxrate": f"{kbit_s}k", "bufsize": f"{kbit_s}k", "preset": "veryfast"}
    with av.open(buffer, "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=FPS, options=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = 1000 * kbit_s
        for frame in frames:
            even = np.ascontiguousarray(frame[:height, :width])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def write(path: Path, frames: list[UInt8], kbit_s: int = 300) -> Path:
    """The MP4 of `encoded`, on disk."""
    path.write_bytes(encoded(frames, kbit_s))
    return path


def halved(frames: list[UInt8]) -> list[UInt8]:
    """Every frame at 50 % of its size."""
    return [np.asarray(cv2.resize(f, None, None, 0.5, 0.5, cv2.INTER_AREA), np.uint8) for f in frames]


def cropped(frames: list[UInt8], left: float = 0.07, top: float = 0.03) -> list[UInt8]:
    """Every frame without 10 % of its width and height."""
    size = frames[0].shape[0]
    x, y, side = round(left * size), round(top * size), round(0.9 * size)
    return [np.ascontiguousarray(f[y : y + side, x : x + side]) for f in frames]


def attacks(frames: list[UInt8]) -> Iterator[tuple[str, list[UInt8]]]:
    """What is done to a clip before it is encoded at 300 kbit/s, each by its name."""
    yield "H.264", frames
    yield "H.264, 50 %", halved(frames)
    yield "H.264, cropped by 10 %", cropped(frames)
    yield "H.264, cropped by 10 %, 50 %", halved(cropped(frames))

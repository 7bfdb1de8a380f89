"""Numbers of a bundle, rounded where they lie: no file's size, kind or operators change, and nothing runs slower.

What is gained is gained when the file is packed: a weight that takes 64 levels of its 256 is six bits to deflate.
"""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..packets import Float32
from ..stages.pictures import decode
from ..subject import npz_bytes
from ..trust.protobuf import fields, message, numbers

FEW = 1 << 13
"""Constants of fewer numbers stay as they are: nothing is gained."""
BYTES_KINDS, HALF = {2: np.dtype(np.uint8), 3: np.dtype(np.int8)}, 10  # TensorProto.DataType
MIDDLE = 128  # of uint8 levels, which stand for what is above and below it
MOST_CHANNELS = 4
"""A constant (1, C, H, W) of at most so many channels is a picture, which has 256 levels of its own."""
HALF_BITS = 6
"""What is kept of the ten bits of a half-precision number that say where it is between two powers of two."""
LEVEL = 1 / 255
BASE_STEP = 1 / 127
"""Of the feature base, whose features lie between -1 and 1."""
WEBP_QUALITY = 90
MAX_PICTURE_PX = 2048

Bytes = NDArray[np.integer[Any]]


def rounded_network(onnx: bytes, bits: int) -> bytes:
    """An ONNX file, as long as before: its 8-bit weights in `bits` bits, pictures in it in levels, halves shorter.

    `onnx` is one that `trust.networks` lets through.
    """
    made = bytearray(onnx)
    graphs = (message(value) for number, value in fields(memoryview(made)) if number == 7)
    for tensor in (message(value) for graph in graphs for number, value in fields(graph) if number == 5):
        _round(tensor, bits)
    return bytes(made)


def rounded_base(base: NDArray[np.floating]) -> bytes:
    """A `manifold.npz` of a feature base (N, F) that takes 255 levels, in half precision."""
    levels = np.rint(base.astype(np.float32) / BASE_STEP)
    return npz_bytes(feature_base=(levels * BASE_STEP).astype(np.float16))


def as_webp(picture: bytes) -> bytes:
    """A PNG or JPEG as WebP. Raises ValueError if it is neither."""
    pixels = cv2.cvtColor(decode(picture, MAX_PICTURE_PX), cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1].tobytes())


def _round(tensor: memoryview, bits: int) -> None:
    """Round a TensorProto's raw numbers in place."""
    found = list(fields(tensor))
    dims = [dim for number, value in found if number == 1 for dim in numbers(value)]
    kind = next((value for number, value in found if number == 2), 0)
    raw = next((message(value) for number, value in found if number == 9), None)
    if raw is None or math.prod(dims) < FEW:
        return
    if kind in BYTES_KINDS:
        _in_bits(np.frombuffer(raw, BYTES_KINDS[int(kind)]), bits)
    elif kind == HALF and len(dims) == 4 and dims[1] <= MOST_CHANNELS:
        values = np.frombuffer(raw, np.float16)
        values[:] = in_levels(values.astype(np.float32))
    elif kind == HALF:
        _shorten(np.frombuffer(raw, np.uint16))


def _in_bits(levels: Bytes, bits: int) -> None:
    """Let 8-bit numbers take 2 ** `bits` levels about their middle, of those that reach as far as they do."""
    middle = MIDDLE if levels.dtype == np.uint8 else 0
    about = levels.astype(np.int32) - middle
    step = max(1, (int(np.abs(about).max()) + 1) >> (bits - 1))
    most = 127 // step * step
    levels[:] = (np.clip(np.rint(about / step).astype(np.int32) * step, -128, most) + middle).astype(levels.dtype)


def in_levels(picture: Float32) -> Float32:
    """A picture in 256 levels, whether it counts to 255 or to 1."""
    step = 1.0 if picture.max() > 1.5 else LEVEL
    return np.asarray(np.rint(picture / step) * step, np.float32)


def _shorten(halves: NDArray[np.uint16]) -> None:
    """Keep HALF_BITS of the mantissas of float16 numbers, given as their bits; the largest stays finite."""
    away = 10 - HALF_BITS
    sign, size = halves & 0x8000, (halves & 0x7FFF).astype(np.uint32)
    shorter = np.minimum((size + (1 << (away - 1))) >> away << away, 0x7BFF >> away << away)
    halves[:] = sign | shorter.astype(np.uint16)

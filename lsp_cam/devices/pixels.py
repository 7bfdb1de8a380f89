"""How a camera's pixels are laid out: the formats that virtual cameras take, and the way from RGB to each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from ..packets import UInt8


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """`encode` makes from (H, W, 3) RGB, both sides even, what pyvirtualcam takes as its format `name`."""

    name: str
    encode: Callable[[UInt8], UInt8]


def _as_it_is(rgb: UInt8) -> UInt8:
    return rgb


def _nv12(rgb: UInt8) -> UInt8:
    """Brightness (H, W), then U and V by turns, one pair for four pixels."""
    height, width = rgb.shape[:2]
    i420 = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420), np.uint8).reshape(-1)
    pixels = height * width
    out = i420.copy()
    out[pixels::2] = i420[pixels : pixels + pixels // 4]
    out[pixels + 1 :: 2] = i420[pixels + pixels // 4 :]
    return out


def _yuy2(rgb: UInt8) -> UInt8:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_YUY2), np.uint8)


I420 = PixelFormat("RGB", _as_it_is)
"""Given as RGB, which pyvirtualcam writes as I420 on Linux and as what the device wants elsewhere."""

FORMATS = {"i420": I420, "nv12": PixelFormat("NV12", _nv12), "yuy2": PixelFormat("YUYV", _yuy2)}
BY_FOURCC = {b"YU12": FORMATS["i420"], b"NV12": FORMATS["nv12"], b"YUYV": FORMATS["yuy2"]}
"""The same by the names that Linux has for them."""

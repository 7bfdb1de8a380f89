"""How close a rendered picture is to the true one: PSNR and SSIM as published, on pictures of 0..255."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float64]


def psnr(ours: Picture, truth: Picture) -> float:
    """Peak signal-to-noise ratio in dB over all channels."""
    error = float(np.mean((ours - truth) ** 2))
    return float(10 * np.log10(255.0**2 / max(error, 1e-12)))


def ssim(ours: Picture, truth: Picture) -> float:
    """Mean structural similarity (Wang et al. 2004: Gaussian window of 11, sigma 1.5), mean over channels."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def blur(x: Picture) -> Picture:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5)[5:-5, 5:-5], np.float64)

    a, b = blur(ours), blur(truth)
    aa, bb, ab = blur(ours * ours) - a * a, blur(truth * truth) - b * b, blur(ours * truth) - a * b
    index = ((2 * a * b + c1) * (2 * ab + c2)) / ((a * a + b * b + c1) * (aa + bb + c2))
    return float(index.mean())


def box_around(points: NDArray[np.floating], margin: float, side: int) -> tuple[slice, slice]:
    """Rows and columns of the box around pixels (P, 2), grown by `margin` of its width, inside the picture."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    grow = margin * (right - left)
    low = np.clip(np.floor([top - grow, left - grow]), 0, side).astype(int)
    high = np.clip(np.ceil([bottom + grow, right + grow]), 0, side).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))

"""Weights in eight bits, for subjects that owe nobody parity: a step costs what its weights cost to read.

A weight matrix is cut along its rows into blocks; each block keeps its largest magnitude as its scale, and 255 levels
between. ONNX Runtime's MatMulNBits multiplies such a matrix with a row that it brings into eight bits the same way.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK = 128  # numbers that share a scale
LEVELS = 127
ZERO = 128
SMALLEST = 1 << 13  # weights of fewer numbers stay as they are: nothing is gained
EIGHT_BIT_PRODUCTS = 4  # MatMulNBits' name for the way that brings the other side into eight bits, too


def in_eight_bits(weight: NDArray[np.floating]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Levels (O, B, BLOCK) uint8 about 128 and scales (O * B,) of weight (O, I); B blocks, the last filled up."""
    outputs, width = weight.shape
    blocks = -(-width // BLOCK)
    padded = np.zeros((outputs, blocks * BLOCK), np.float64)
    padded[:, :width] = weight
    cut = padded.reshape(outputs, blocks, BLOCK)
    scales = np.maximum(np.abs(cut).max(axis=2), np.finfo(np.float32).tiny) / LEVELS
    levels = np.rint(cut / scales[..., None]) + ZERO
    return levels.astype(np.uint8), scales.reshape(-1).astype(np.float32)


def in_eight_bits_by_row(weight: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels (O, I) int8 and scales (O,) of weight (O, I), a scale for each row."""
    scales = np.maximum(np.abs(weight).max(axis=1), np.finfo(np.float32).tiny) / LEVELS
    return np.rint(weight / scales[:, None]).astype(np.int8), scales.astype(np.float32)


def from_eight_bits(levels: NDArray[np.uint8], scales: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """The weight (O, width) that `in_eight_bits` kept."""
    cut = (levels.astype(np.float32) - ZERO) * scales.reshape(*levels.shape[:2], 1)
    return cut.reshape(len(levels), -1)[:, :width]

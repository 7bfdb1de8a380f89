"""Log-mel rows of a whole clip at once, for training (the running program computes the same rows one by one).

Conventions are those of the published code: one row per 1/120 s, each seeing its own 266 samples.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
ROW_RATE = 120
PIECE_SAMPLES = 266
FFT_SAMPLES = 512
HOP_SAMPLES = 133
MEL_BANDS = 80
LOWEST_HZ, HIGHEST_HZ = 90.0, 7600.0
FLOOR = 1e-5


def _slaney_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    linear = hz * 3.0 / 200.0
    return np.where(hz < 1000.0, linear, 15.0 + np.log(np.maximum(hz, 1000.0) / 1000.0) * 27.0 / np.log(6.4))


def _slaney_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of `_slaney_mel`."""
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


@cache
def mel_filters() -> NDArray[np.float32]:
    """Triangular filters of equal area (257, 80), to be applied to magnitudes."""
    ends = _slaney_mel(np.array([LOWEST_HZ, HIGHEST_HZ]))
    edges = _slaney_hz(np.linspace(ends[0], ends[1], MEL_BANDS + 2))
    bins = np.arange(FFT_SAMPLES // 2 + 1) * SAMPLE_RATE / FFT_SAMPLES
    rising = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    area = 2.0 / (edges[2:] - edges[:-2])
    return np.asarray(np.clip(np.minimum(rising, falling), 0.0, None) * area, np.float32)


@cache
def _window_positions() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Which samples of a piece the window sees (266,), and the periodic Hann window (266,).

    A piece is mirrored by (512 - 133) // 2 samples at both ends, and of the padded piece's 512-sample frame the
    266-sample window covers the middle. What is zero outside the window only turns phases, which are dropped.
    """
    pad = (FFT_SAMPLES - HOP_SAMPLES) // 2
    padded = np.pad(np.arange(PIECE_SAMPLES), pad, mode="reflect")
    first = (FFT_SAMPLES - PIECE_SAMPLES) // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(PIECE_SAMPLES) / PIECE_SAMPLES)
    return padded[first : first + PIECE_SAMPLES], window.astype(np.float32)


def row_count(samples: int) -> int:
    """Rows of a clip: two for every whole or begun video frame's 1/60 s that has all its samples."""
    return 2 * (samples * 60 // SAMPLE_RATE)


def mel_rows(audio: NDArray[np.float32], rows: int | None = None) -> NDArray[np.float32]:
    """Log-mel rows (rows, 80), 0 at the floor, of 16 kHz mono `audio` (S,) in -1..1 (section 3.1)."""
    rows = row_count(len(audio)) if rows is None else rows
    starts = np.arange(rows) * SAMPLE_RATE // ROW_RATE
    missing = max(0, int(starts[-1]) + PIECE_SAMPLES - len(audio)) if rows else 0
    padded = np.pad(audio.astype(np.float32), (0, missing))
    positions, window = _window_positions()
    out = np.empty((rows, MEL_BANDS), np.float32)
    for first in range(0, rows, 8192):  # bounds memory for hour-long clips
        part = starts[first : first + 8192]
        spectrum = np.abs(np.fft.rfft(padded[part[:, None] + positions] * window, FFT_SAMPLES))
        bands = spectrum.astype(np.float32) @ mel_filters()
        out[first : first + 8192] = np.log(np.maximum(bands, FLOOR))
    return (out - np.float32(np.log(FLOOR))) / np.float32(-np.log(FLOOR))

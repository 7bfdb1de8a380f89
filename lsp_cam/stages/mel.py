"""Log-mel rows, two for each motion frame (section 3.1).

Row i begins at sample int(i * 16000 / 120) and is given 266 samples. The published code mirrors those at both ends and
takes the one windowed STFT frame that fits; what the window covers of it are samples 66 .. 1, then 0 .. 199.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ..packets import MOTION_FPS, ROWS_PER_FRAME, SAMPLE_RATE_HZ, AudioChunk, Float32, MelFrame, frames_in
from ..packets import frame_start_sample as frame_start

ROW_RATE_HZ = ROWS_PER_FRAME * MOTION_FPS
PIECE_SAMPLES = 266
FFT_SAMPLES = 512
HOP_SAMPLES = 133
MEL_BANDS = 80
LOWEST_HZ, HIGHEST_HZ = 90.0, 7600.0
FLOOR = 1e-5
_BLOCK_ROWS = 2048  # bounds the memory that a whole clip takes


def mel_filters() -> Float32:
    """Slaney's mel filters (257, 80), each of unit area, to be applied to magnitudes."""
    return _mel_filters().copy()


@cache
def _mel_filters() -> Float32:
    ends = _mel_of_hz(np.array([LOWEST_HZ, HIGHEST_HZ]))
    edges = _hz_of_mel(np.linspace(ends[0], ends[1], MEL_BANDS + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, FFT_SAMPLES // 2 + 1)[:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


# Slaney's scale: 200/3 Hz a mel up to 1 kHz (mel 15), from there 27 mels for each factor of 6.4.
_LINEAR_HZ, _BREAK_HZ, _STEPS = 200 / 3, 1000.0, 27 / np.log(6.4)


def _mel_of_hz(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ / _LINEAR_HZ + _STEPS * np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ)
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, above)


def _hz_of_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ * np.exp((mel - _BREAK_HZ / _LINEAR_HZ) / _STEPS)
    return np.where(mel < _BREAK_HZ / _LINEAR_HZ, mel * _LINEAR_HZ, above)


def _window() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which samples of a piece the window covers (266,), and the periodic Hann window (266,).

    The window's place within the 512-sample frame only turns phases, and those are dropped.
    """
    mirrored = np.pad(np.arange(PIECE_SAMPLES), (FFT_SAMPLES - HOP_SAMPLES) // 2, mode="reflect")
    first = (FFT_SAMPLES - PIECE_SAMPLES) // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(PIECE_SAMPLES) / PIECE_SAMPLES)
    return mirrored[first : first + PIECE_SAMPLES], window


_COVERED, _WINDOW = _window()
REACH_SAMPLES = int(_COVERED.max()) + 1  # no row depends on what comes later in its piece


def row_start_sample(row: int) -> int:
    """First sample (16 kHz) of mel row `row`."""
    return row * SAMPLE_RATE_HZ // ROW_RATE_HZ


def _rows(samples: Float32, starts: NDArray[np.int64]) -> Float32:
    """Rows (n, 80) that begin at `starts` (n,) of `samples`; all samples that they reach must be there."""
    out = np.empty((len(starts), MEL_BANDS), np.float32)
    for first in range(0, len(starts), _BLOCK_ROWS):
        part = starts[first : first + _BLOCK_ROWS]
        spectrum = np.abs(np.fft.rfft(samples[part[:, None] + _COVERED] * _WINDOW, FFT_SAMPLES))
        out[first : first + _BLOCK_ROWS] = np.log(np.maximum(spectrum.astype(np.float32) @ _mel_filters(), FLOOR))
    return 1 - out / np.float32(np.log(FLOOR))


def mel_rows(samples: Float32, rows: int | None = None) -> Float32:
    """Log-mel rows (2T, 80), 0 at the floor and about 1 at full scale, of a whole clip `samples` (S,) in -1..1.

    T is `frames_in(S)`; `rows` asks for another number of rows. Missing samples are zeros.
    """
    count = ROWS_PER_FRAME * frames_in(len(samples)) if rows is None else rows
    starts = np.arange(count) * SAMPLE_RATE_HZ // ROW_RATE_HZ
    missing = row_start_sample(count) + REACH_SAMPLES - len(samples)
    return _rows(np.pad(samples, (0, max(missing, 0))), starts)


@dataclass(slots=True)
class MelState:
    """`pending`: the samples from `first` on, which rows to come still need; `frame`: the next one."""

    frame: int = 0
    first: int = 0
    pending: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))


class MelStage:
    """AudioChunk -> MelFrame. A frame leaves with the last sample that one of its rows depends on."""

    # How far the second row of a frame reaches into the next frame, at most.
    overhang_samples = max(row_start_sample(2 * t + 1) + REACH_SAMPLES - frame_start(t + 1) for t in range(3))

    def start(self) -> MelState:
        return MelState()

    def step(self, x: AudioChunk, state: MelState) -> tuple[list[MelFrame], MelState]:
        state.pending = np.concatenate([state.pending, x.samples])
        end = state.first + len(state.pending)
        ready = state.frame
        while row_start_sample(ROWS_PER_FRAME * ready + 1) + REACH_SAMPLES <= end:
            ready += 1
        return self._emit(ready, state), state

    def flush(self, state: MelState) -> tuple[list[MelFrame], MelState]:
        total = frames_in(state.first + len(state.pending))
        state.pending = np.pad(state.pending, (0, PIECE_SAMPLES))
        return self._emit(max(total, state.frame), state), state

    def _emit(self, until: int, state: MelState) -> list[MelFrame]:
        """Frames up to (not including) `until`; drops the samples that are no longer needed."""
        frames = range(state.frame, until)
        if not frames:
            return []
        numbers = np.arange(ROWS_PER_FRAME * state.frame, ROWS_PER_FRAME * until)
        rows = _rows(state.pending, numbers * SAMPLE_RATE_HZ // ROW_RATE_HZ - state.first)
        passed = row_start_sample(ROWS_PER_FRAME * until) - state.first
        state.pending, state.first, state.frame = state.pending[passed:].copy(), state.first + passed, until
        return [MelFrame(t, rows[2 * i : 2 * i + 2]) for i, t in enumerate(frames)]

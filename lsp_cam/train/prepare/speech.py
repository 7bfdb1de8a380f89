"""When somebody speaks in a recording, and whether lips and sound go together."""

import numpy as np
from numpy.typing import NDArray

from lsp_cam.backends.choose import open_engine
from lsp_cam.packets import MOTION_FPS, SAMPLE_RATE_HZ, Float32
from lsp_cam.stages.voice import VoiceStage
from lsp_cam.stream import chunked, run_offline

Array = NDArray[np.float64]
LOOK_AHEAD_FRAMES = 18
LARGEST_LAG_S = 0.4


def voiced(samples: Float32) -> Array:
    """Gate (T,) in 0..1 for each motion frame (1/60 s) of speech (S,), as the program has it: 0 in silence."""
    stage = VoiceStage(open_engine("auto", 1), look_ahead_frames=LOOK_AHEAD_FRAMES)
    return np.array([packet.gate for packet in run_offline(stage, chunked(samples, SAMPLE_RATE_HZ))])


def speech_share(samples: Float32) -> float:
    """Share of the time in which somebody speaks."""
    gate = voiced(samples)
    return float((gate > 0.5).mean()) if len(gate) else 0.0


def lag_of(gap: Array, samples: Float32, fps: float) -> tuple[float, float]:
    """By how many seconds the lips come after the sound, and how far (0..1) they go together at that lag.

    gap (T,): how far the inner lips are apart in each picture; samples (S,) of the same time.
    """
    edges = np.round(np.arange(len(gap) + 1) / fps * SAMPLE_RATE_HZ).astype(int)
    energy = np.concatenate([[0.0], np.cumsum(np.asarray(samples, np.float64) ** 2)])
    power = np.diff(energy[np.clip(edges, 0, len(samples))]) / np.diff(edges)
    loud = np.log(power + 1e-7)
    most = int(LARGEST_LAG_S * fps)
    lags = range(-most, most + 1)
    match = [_alike(gap[max(0, lag) :], loud[max(0, -lag) :]) for lag in lags]
    best = int(np.argmax(match))
    return (best - most) / fps, float(match[best])


def _alike(a: Array, b: Array) -> float:
    """Correlation of two series, over the shorter one's length."""
    count = min(len(a), len(b))
    a, b = a[:count] - a[:count].mean(), b[:count] - b[:count].mean()
    return float((a @ b) / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12))


def quiet_frames(gate: Array, margin_s: float = 0.12) -> NDArray[np.int64]:
    """Motion frames well inside the pauses."""
    margin = int(margin_s * MOTION_FPS)
    near = np.convolve(gate > 0, np.ones(2 * margin + 1), mode="same") > 0
    return np.flatnonzero(~near)

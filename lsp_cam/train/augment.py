"""Sound as other microphones and calls would have taken it, so that none is a foreign land."""

import numpy as np
from numpy.typing import NDArray

from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.train.codec import through_codec


def augment(audio: NDArray[np.float32], rng: np.random.Generator, coded: float = 0.0) -> NDArray[np.float32]:
    """A random variant of `audio` (S,), same length: band limits, noise, gain, and with probability `coded` a codec.

    A codec costs about a thousand times what the rest does, which is why it is asked for.
    """
    out = audio
    if coded and rng.random() < coded:
        out = through_codec(out, rng)
    if rng.random() < 0.5:
        out = _limit_band(out, rng)
    if rng.random() < 0.5:
        out = out + _noise(out, rng)
    gain_db = rng.uniform(-14.0, 8.0)
    return np.asarray(np.clip(out * 10 ** (gain_db / 20), -1, 1), np.float32)


def _limit_band(audio: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Soft low and high cut with random corners, and a random tilt of up to 6 dB an octave around 1 kHz."""
    spectrum = np.fft.rfft(audio)
    hz = np.maximum(np.arange(len(spectrum)) * SAMPLE_RATE_HZ / len(audio), 1.0)
    low, high = rng.uniform(20.0, 250.0), rng.uniform(3400.0, 8000.0)
    response = (hz / 1000.0) ** rng.uniform(-0.5, 0.5) / np.sqrt((1 + (low / hz) ** 4) * (1 + (hz / high) ** 8))
    return np.asarray(np.fft.irfft(spectrum * np.clip(response, 0, 4), len(audio)), np.float32)


def _noise(audio: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of random colour at a signal-to-noise ratio of 10 to 40 dB."""
    white = np.fft.rfft(rng.standard_normal(len(audio)))
    colour = np.arange(1, len(white) + 1) ** -rng.uniform(0.0, 0.8)
    noise = np.fft.irfft(white * colour, len(audio))
    level = np.sqrt(np.mean(audio**2) + 1e-9) * 10 ** (-rng.uniform(10.0, 40.0) / 20)
    return np.asarray(noise * (level / np.sqrt(np.mean(noise**2) + 1e-12)), np.float32)

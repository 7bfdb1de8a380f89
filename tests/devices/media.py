"""Audio and video files for tests: made on the fly, and looked into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from lsp_cam.packets import SAMPLE_RATE_HZ, Float32, UInt8


def tone(seconds: float, rate_hz: int = SAMPLE_RATE_HZ, hz: float = 440.0) -> Float32:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def noise(seconds: float, seed: int = 0) -> Float32:
    """Low-passed noise at 16 kHz: it has one place only where it matches itself."""
    white = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE_HZ))
    return (0.15 * np.convolve(white, np.ones(8) / 8, "same")).astype(np.float32)


def write_audio(path: Path, channels: Any, rate_hz: int, *, codec: str, sample_format: str, layout: str) -> Path:
    """Encode (C, N) samples of the type that `sample_format` means."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate_hz, layout=layout)
        stream.codec_context.format = sample_format
        for start in range(0, channels.shape[1], 1024):
            piece = channels[:, start : start + 1024]
            packed = piece if sample_format.endswith("p") else piece.T.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), format=sample_format, layout=layout)
            frame.sample_rate = rate_hz
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_float_wav(path: Path, samples: Float32, rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    return write_audio(path, samples[None], rate_hz, codec="pcm_f32le", sample_format="flt", layout="mono")


def picture(index: int, size: int = 64) -> UInt8:
    """A smooth picture whose brightness tells its index."""
    y, x = np.mgrid[0:size, 0:size]
    return np.stack([x * 128 // size, y * 128 // size, np.full_like(x, index * 5 % 250)], -1).astype(np.uint8)


@dataclass
class Video:
    """What a player would see. `times` of the frames in seconds; `sound` (N,) 16 kHz, from `sound_start_s` on."""

    frames: list[UInt8]
    times: list[float]
    sound: Float32
    sound_start_s: float


def play(path: Path) -> Video:
    """Decode all of a video, strictly."""
    with av.open(str(path)) as container:
        pictures = list(container.decode(container.streams.video[0]))
    with av.open(str(path)) as container:
        sounds = list(container.decode(container.streams.audio[0])) if container.streams.audio else []
    return Video(
        [p.to_ndarray(format="rgb24") for p in pictures],
        [float(p.time) for p in pictures],
        np.concatenate([s.to_ndarray()[0] for s in sounds]) if sounds else np.zeros(0, np.float32),
        float(sounds[0].time) if sounds else 0.0,
    )


def lag(heard: Float32, source: Float32, most: int = 2000) -> int:
    """By how many samples `heard` comes after `source`."""
    size = min(len(heard), len(source))
    products = np.correlate(heard[:size], source[most : size - most], "valid")
    return int(np.argmax(products)) - most

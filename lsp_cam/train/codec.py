"""Speech as it comes out of a call: encoded and decoded by a codec of telephony or streaming, in place in time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import soxr
from av.audio.codeccontext import AudioCodecContext
from numpy.typing import NDArray

from lsp_cam.packets import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

# Encoder, sample rate of the coded sound, sample format, and the bit rates to choose from (None: fixed by the codec).
_CODECS: tuple[tuple[str, int, str, tuple[int | None, ...]], ...] = (
    ("libopus", 16_000, "flt", (8_000, 12_000, 16_000, 24_000)),
    ("aac", 16_000, "fltp", (16_000, 24_000, 32_000)),
    ("pcm_mulaw", 8_000, "s16", (None,)),
)
CODECS = tuple(name for name, *_ in _CODECS)
# How far a decoded sound may lie behind its original; what a codec adds at its start is found by correlation.
_LONGEST_DELAY_S = 0.2


def through_codec(audio: Samples, rng: np.random.Generator, codec: str | None = None) -> Samples:
    """`audio` (S,) in -1..1 at 16 kHz, encoded and decoded, not delayed; a random codec if not named."""
    name, rate_hz, form, bit_rates = _CODECS[rng.integers(len(_CODECS)) if codec is None else CODECS.index(codec)]
    given = audio if rate_hz == SAMPLE_RATE_HZ else soxr.resample(audio, SAMPLE_RATE_HZ, rate_hz)
    bit_rate = bit_rates[rng.integers(len(bit_rates))]
    decoded = _decode(*_encode(np.clip(given, -1, 1), name, rate_hz, form, bit_rate))
    if len(decoded) == 0:
        return audio
    return _aligned(decoded, audio)


def _encode(
    audio: Samples, name: str, rate_hz: int, form: str, bit_rate: int | None
) -> tuple[list[av.Packet[Any]], AudioCodecContext]:
    """Packets of the coded sound, and the context that made them."""
    context = AudioCodecContext.create(name, "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.format, context.layout = rate_hz, form, "mono"
    context.time_base = Fraction(1, rate_hz)
    if bit_rate is not None:
        context.bit_rate = bit_rate
    context.open()
    block = context.frame_size or rate_hz // 50
    packets: list[av.Packet[Any]] = []
    for first in range(0, len(audio), block):
        part = np.pad(audio[first : first + block], (0, max(0, first + block - len(audio))))
        data = (part * 32767).astype(np.int16) if form == "s16" else part.astype(np.float32)
        frame = av.AudioFrame.from_ndarray(data[None], form, "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, first, context.time_base
        packets += context.encode(frame)
    return packets + context.encode(None), context


def _decode(packets: list[av.Packet[Any]], encoder: AudioCodecContext) -> Samples:
    """Samples (S,) at 16 kHz of coded packets."""
    context = AudioCodecContext.create(encoder.name, "r")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate, context.layout = encoder.sample_rate, "mono"
    if encoder.extradata:
        context.extradata = encoder.extradata
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    frames = [frame for packet in packets for frame in context.decode(packet)] + context.decode(None)
    parts = [out.to_ndarray()[0] for frame in frames for out in resampler.resample(frame)]
    parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _aligned(decoded: Samples, audio: Samples) -> Samples:
    """The decoded sound moved to where the original is, and cut or padded to its length."""
    size = 1 << (len(decoded) + len(audio)).bit_length()
    product = np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(audio, size))
    furthest = int(_LONGEST_DELAY_S * SAMPLE_RATE_HZ)
    delay = int(np.argmax(np.fft.irfft(product, size)[:furthest]))
    moved = decoded[delay : delay + len(audio)]
    return np.asarray(np.pad(moved, (0, len(audio) - len(moved))), np.float32)

"""Opus by its reference library: mono speech, 6 to 24 kbit/s, with in-band error correction and pauses left out.

PyAV's adapter has neither pauses (DTX), error correction in the decoder, nor concealment; its wheels hold the library
itself, which is used here directly.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CallError, UsageError
from ..packets import SAMPLE_RATE_HZ, Float32

CLOCK_HZ = 48_000
"""The clock of Opus in RTP, whatever it was captured at (RFC 7587)."""
TICKS = CLOCK_HZ // SAMPLE_RATE_HZ
FRAMES_MS = (10, 20, 40, 60)
MAX_PACKET_BYTES = 1275
MAX_PACKET_S = 0.12
PAUSE_BYTES = 2
"""A packet of at most this size says only that nobody speaks, and is not sent."""
STEP_SAMPLES = SAMPLE_RATE_HZ // 400
"""Concealment comes in steps of 2.5 ms."""

_VOIP, _VOICE = 2048, 3001
_SET_BITRATE, _SET_FEC, _SET_LOSS, _SET_DTX, _SET_SIGNAL, _SET_CONSTRAINED = 4002, 4012, 4014, 4016, 4024, 4020


@dataclass(frozen=True)
class Config:
    """How speech is packed. `frame_ms`: speech in a packet. Fewer packets have fewer headers; in each more is lost."""

    bitrate_bps: int = 16_000
    frame_ms: int = 40

    def __post_init__(self) -> None:
        if not 6_000 <= self.bitrate_bps <= 24_000:
            raise UsageError(f"{self.bitrate_bps} bit/s is out of range: speech takes 6000 to 24000.")
        if self.frame_ms not in FRAMES_MS:
            raise UsageError(f"A packet of {self.frame_ms} ms cannot be: choose one of {FRAMES_MS}.")

    @property
    def frame_samples(self) -> int:
        """Samples (16 kHz) in a packet."""
        return self.frame_ms * SAMPLE_RATE_HZ // 1000


class OpusEncoder:
    """Packs speech. One thread."""

    EXPECTED_LOSS = 25
    """Percent. From here on the library corrects errors without narrowing the voice's band."""
    FOR_CORRECTION_BPS = 2_000

    def __init__(self, config: Config = Config()) -> None:
        self._library = library()
        error = ctypes.c_int()
        self._state = self._library.opus_encoder_create(SAMPLE_RATE_HZ, 1, _VOIP, ctypes.byref(error))
        _check(error.value)
        self._config = config
        self._out = ctypes.create_string_buffer(MAX_PACKET_BYTES)
        for request, value in ((_SET_DTX, 1), (_SET_SIGNAL, _VOICE), (_SET_CONSTRAINED, 1), (_SET_FEC, 1)):
            self._set(request, value)
        self._correcting = True
        self.correct(False)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_encoder_destroy(self._state)

    def correct(self, correcting: bool) -> None:
        """Let each packet carry its predecessor once more, coarsely, or not; worth it where packets are lost."""
        if correcting != self._correcting:
            self._correcting = correcting
            self._set(_SET_LOSS, self.EXPECTED_LOSS if correcting else 0)
            self._set(_SET_BITRATE, self._config.bitrate_bps + (self.FOR_CORRECTION_BPS if correcting else 0))

    def encode(self, samples: Float32) -> bytes:
        """A packet of the next `frame_samples` samples; one of PAUSE_BYTES at most need not be sent."""
        assert len(samples) == self._config.frame_samples, "whole frames"
        given = np.ascontiguousarray(samples, np.float32)
        size = self._library.opus_encode_float(self._state, given.ctypes.data, len(given), self._out, MAX_PACKET_BYTES)
        _check(size)
        return self._out.raw[:size]

    def _set(self, request: int, value: int) -> None:
        _check(self._library.opus_encoder_ctl(self._state, request, ctypes.c_int32(value)))


class OpusDecoder:
    """Unpacks speech in order, and conceals what is missing. One thread."""

    def __init__(self) -> None:
        self._library = library()
        error = ctypes.c_int()
        self._state = self._library.opus_decoder_create(SAMPLE_RATE_HZ, 1, ctypes.byref(error))
        _check(error.value)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_decoder_destroy(self._state)

    def decode(self, packet: bytes) -> Float32:
        """The samples of a packet. CallError if it is none."""
        return self._decode(packet, samples_in(packet), 0)

    def recover(self, following: bytes, samples: int) -> Float32:
        """The `samples` that were lost before the packet `following`, from what it repeats of them, or concealed."""
        return self._decode(following, samples, 1)

    def conceal(self, samples: int) -> Float32:
        """What might have been said in the next `samples` (steps of STEP_SAMPLES); it fades when asked again."""
        return self._decode(None, samples, 0)

    def _decode(self, packet: bytes | None, samples: int, correct: int) -> Float32:
        out = np.zeros(samples, np.float32)
        count = self._library.opus_decode_float(
            self._state, packet, len(packet or b""), out.ctypes.data, samples, correct
        )
        _check(count)
        return out[:count]


def samples_in(packet: bytes) -> int:
    """How many samples (16 kHz) a packet holds. CallError if it is none."""
    if not 0 < len(packet) <= MAX_PACKET_BYTES:
        raise CallError(f"A packet of {len(packet)} bytes is no speech.")
    count = int(library().opus_packet_get_nb_samples(packet, len(packet), SAMPLE_RATE_HZ))
    _check(count)
    return count


@cache
def library() -> Any:
    """libopus: the one in PyAV's wheel, else the system's."""
    import av

    package = Path(av.__file__).parent
    folders = (package.parent / "av.libs", package / ".dylibs", package)
    found = [str(path) for folder in folders for path in sorted(folder.glob("*opus*")) if path.is_file()]
    for name in (*found, ctypes.util.find_library("opus")):
        if name:
            try:
                return _declared(ctypes.CDLL(name))
            except (OSError, AttributeError):
                continue
    raise CallError("The Opus library was not found. On Debian: sudo apt install libopus0")


def _declared(opus: Any) -> Any:
    pointer, count = ctypes.c_void_p, ctypes.c_int
    opus.opus_strerror.restype = ctypes.c_char_p
    opus.opus_encoder_create.restype = opus.opus_decoder_create.restype = pointer
    opus.opus_encoder_create.argtypes = [ctypes.c_int32, count, count, pointer]
    opus.opus_decoder_create.argtypes = [ctypes.c_int32, count, pointer]
    opus.opus_encoder_destroy.argtypes = opus.opus_decoder_destroy.argtypes = [pointer]
    opus.opus_encoder_ctl.argtypes = [pointer, count]  # what follows is variadic, and must not be declared
    opus.opus_encode_float.argtypes = [pointer, pointer, count, ctypes.c_char_p, ctypes.c_int32]
    opus.opus_decode_float.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int32, pointer, count, count]
    opus.opus_packet_get_nb_samples.argtypes = [ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32]
    return opus


def _check(code: int) -> None:
    if code < 0:
        told = library().opus_strerror(code).decode()
        raise CallError(f"Opus does not take this ({told}). The other side may have sent something else.")

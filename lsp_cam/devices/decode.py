"""Audio files decoded by FFmpeg (PyAV), piece by piece: 16 kHz mono float32, whatever they hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import soxr

from ..errors import AudioError
from ..packets import SAMPLE_RATE_HZ, Float32

SHORTFALL_S = 0.25
"""A stream's stated length covers the encoder's padding too; what is missing beyond this has been cut off."""
# Formats whose stated length counts samples. The others estimate it from the bit rate.
_EXACT_LENGTH = {"mov", "mp4", "m4a", "flac", "aiff", "caf"}
_UNKNOWN_RIFF_SIZE = 0x7FFF0000  # programs that write to a pipe put this or more


def decode_mono(path: Path, partial: bool) -> Iterator[Float32]:
    """Pieces (n,) of the first audio stream of `path`, in order.

    Raises AudioError if nothing can be decoded; unless `partial`, also if the file breaks off or is damaged.
    """
    try:
        # A file object, not the path: then no text in the path or the file makes FFmpeg open something else.
        with path.open("rb") as file, av.open(file, options={"protocol_whitelist": "none"}) as container:
            if not container.streams.audio:
                raise AudioError(f"{path} has no sound in it. Choose a file with an audio track.")
            yield from _pieces(path, container, partial)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        raise AudioError(f"{path} cannot be decoded as audio ({_reason(error)}). Export it again, as WAV.") from error


def _pieces(path: Path, container: Any, partial: bool) -> Iterator[Float32]:
    decoder = _Decoder(container)
    to_mono = _Mono()
    for frame in decoder.frames():
        if decoder.damaged_s and not partial:
            raise AudioError(f"{path} is damaged at {decoder.damaged_s:.1f} s. {_AGAIN}")
        yield from to_mono.push(frame)
    yield from to_mono.flush()
    if not decoder.seconds and decoder.broken:
        raise AudioError(f"{path} is damaged: nothing in it can be decoded. {_AGAIN}")
    missing_s = max(decoder.missing_s(), _riff_missing_s(path, decoder.seconds))
    if missing_s > SHORTFALL_S and not partial:
        raise AudioError(f"{path} breaks off at {decoder.seconds:.1f} s, {missing_s:.1f} s are missing. {_AGAIN}")


_AGAIN = "Copy or export it again."


class _Decoder:
    """Frames of the first audio stream. A packet that does not decode is skipped and remembered: files often have
    such junk before the first and after the last good one, so only what lies between good ones is damage.
    """

    def __init__(self, container: Any) -> None:
        self._container = container
        self._stream = container.streams.audio[0]
        self.seconds = 0.0
        self.broken = 0
        self.damaged_s = 0.0

    def frames(self) -> Iterator[Any]:
        bad_since = False
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self.broken += 1
                bad_since = self.seconds > 0
                continue
            for frame in frames:
                if bad_since and not self.damaged_s:
                    self.damaged_s = self.seconds
                self.seconds += frame.samples / frame.sample_rate
                yield frame

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError):  # the container itself breaks off: `missing_s` tells
                return
            yield packet

    def missing_s(self) -> float:
        """How much shorter it was than the container states (0 if it states nothing exact)."""
        exact = _EXACT_LENGTH & set(self._container.format.name.split(","))
        if not exact or self._stream.duration is None:
            return 0.0
        return float(self._stream.duration * self._stream.time_base) - self.seconds


def _riff_missing_s(path: Path, seconds: float) -> float:
    """FFmpeg takes a WAV file's length from the file; its header says how long it was meant to be."""
    with path.open("rb") as file:
        head = file.read(12)
    held = os.path.getsize(path)
    stated = int.from_bytes(head[4:8], "little") + 8
    if head[:4] != b"RIFF" or head[8:] != b"WAVE" or stated >= _UNKNOWN_RIFF_SIZE or stated <= held:
        return 0.0
    return seconds * (stated - held) / held


class _Mono:
    """Frames in, 16 kHz mono out; rate, layout and sample format may change on the way."""

    def __init__(self) -> None:
        self._rate_hz = SAMPLE_RATE_HZ
        self._resampler: soxr.ResampleStream | None = None
        self._mixer: Any = None
        self._mixes: tuple[str, str, int] | None = None

    def push(self, frame: Any) -> Iterator[Float32]:
        if frame.sample_rate != self._rate_hz:
            yield from self.flush()
            self._rate_hz = frame.sample_rate
            if self._rate_hz != SAMPLE_RATE_HZ:
                self._resampler = soxr.ResampleStream(self._rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        mono = self._mixed(frame)
        yield mono if self._resampler is None else np.asarray(self._resampler.resample_chunk(mono), np.float32)

    def flush(self) -> Iterator[Float32]:
        if self._resampler is not None:
            yield self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
            self._resampler = None

    def _mixed(self, frame: Any) -> Float32:
        channels = frame.layout.nb_channels
        array = frame.to_ndarray()
        if not frame.format.is_planar:
            array = array.reshape(-1, channels).T
        if channels > 2 and (mixed := self._mix_layout(frame)) is not None:
            return mixed
        floats = _floats(array)
        return floats[0] if channels == 1 else np.asarray(floats.mean(0), np.float32)

    def _mix_layout(self, frame: Any) -> Float32 | None:
        """FFmpeg knows what the channels of a layout weigh (5.1: the voice is in the centre); None if it does not."""
        mixes = (frame.format.name, frame.layout.name, frame.sample_rate)
        if mixes != self._mixes:
            self._mixer = av.AudioResampler(format="fltp", layout="mono", rate=frame.sample_rate)
            self._mixes = mixes
        try:
            parts = [_floats(part.to_ndarray())[0] for part in self._mixer.resample(frame)]
        except av.error.FFmpegError:
            self._mixes = None
            return None
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _floats(array: Any) -> Float32:
    """(C, n) samples of any type in -1..1 (float32 as it is)."""
    if array.dtype == np.uint8:
        return np.asarray((array.astype(np.float32) - 128) / 128, np.float32)
    if np.issubdtype(array.dtype, np.integer):
        return np.asarray(array / -float(np.iinfo(array.dtype).min), np.float32)
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)

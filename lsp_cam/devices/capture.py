"""One open microphone stream: whatever the device gives, as 16 kHz mono."""

from __future__ import annotations

import queue
import time
from contextlib import suppress
from typing import Any

import numpy as np
import soxr

from ..errors import DeviceError
from ..packets import SAMPLE_RATE_HZ, Float32
from . import portaudio
from .base import BACKLOG_S, BLOCK_S, AudioBlock
from .portaudio import InputDevice

STALL_S = 0.5
"""A stream that gave nothing for so long is taken for lost."""
MAX_LATENCY_S = 0.5
"""Capture latencies beyond this, which some drivers report, are not believed."""


class Capture:
    """An open stream of `device`; it runs from the start. Raises DeviceError if it cannot be opened.

    16 kHz is asked for first; a device that refuses runs at its own rate and is resampled, which adds about 40 ms.
    """

    def __init__(self, device: InputDevice) -> None:
        self.device = device
        self.overflows = 0
        self._raw: queue.Queue[tuple[Any, float]] = queue.Queue(round(BACKLOG_S / BLOCK_S))
        self._gap = False
        self._finished = False
        self._last_s = time.monotonic()
        self.rate_hz = SAMPLE_RATE_HZ
        self._stream = self._open(portaudio.load())
        self._resampler = None
        if self.rate_hz != SAMPLE_RATE_HZ:
            self._resampler = soxr.ResampleStream(self.rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")

    @property
    def alive(self) -> bool:
        """Whether sound still arrives."""
        return not self._finished and time.monotonic() - self._last_s < STALL_S

    def get(self, timeout_s: float) -> AudioBlock | None:
        """The next block; None if none came in time."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                raw, captured_s = self._raw.get(timeout=max(0.0, deadline_s - time.monotonic()))
            except queue.Empty:
                return None
            samples = _mono(raw)
            if self._resampler is not None:
                samples = np.asarray(self._resampler.resample_chunk(samples), np.float32)
                captured_s -= self._resampler.delay() / SAMPLE_RATE_HZ
            if samples.size:
                gap, self._gap = self._gap, False
                return AudioBlock(samples, captured_s, gap)

    def close(self) -> None:
        with portaudio.lock, portaudio.quiet():
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
            portaudio.stream_closed(self._stream)

    def _open(self, sounddevice: Any) -> Any:
        refusal: Exception | None = None
        with portaudio.lock, portaudio.quiet():
            for rate_hz, channels, dtype in self._ways():
                stream = None
                self.rate_hz = rate_hz
                try:
                    stream = sounddevice.InputStream(
                        device=self.device.index,
                        samplerate=rate_hz,
                        channels=channels,
                        dtype=dtype,
                        blocksize=round(rate_hz * BLOCK_S),
                        latency="low",
                        callback=self._callback,
                        finished_callback=self._finish,
                    )
                    stream.start()
                except (sounddevice.PortAudioError, ValueError, OSError) as error:
                    refusal = error
                    if stream is not None:
                        stream.close(ignore_errors=True)
                    continue
                portaudio.stream_open(stream)
                self._finished = False  # a way that was refused may have set it
                self._last_s = time.monotonic()
                return stream
        raise DeviceError(
            f"The microphone '{self.device.name}' cannot be opened ({refusal}). Close other programs that use it, "
            "allow access to it in the system's settings, or choose another: `lsp-cam devices`."
        ) from refusal

    def _ways(self) -> list[tuple[int, int, str]]:
        """Rate, channels, sample type: the best first."""
        rates = dict.fromkeys((SAMPLE_RATE_HZ, round(self.device.rate_hz)))
        channels = dict.fromkeys((1, self.device.channels))
        return [(r, c, t) for r in rates for t in ("float32", "int16") for c in channels]

    def _callback(self, samples: Any, frames: int, times: Any, status: Any) -> None:
        """On PortAudio's thread: copies and enqueues; when the reader is late, the oldest goes."""
        now_s = time.monotonic()
        self._last_s = now_s
        age_s = times.currentTime - times.inputBufferAdcTime - frames / self.rate_hz
        captured_s = now_s - (age_s if 0 <= age_s <= MAX_LATENCY_S else 0.0)
        if status.input_overflow:
            self._drop()
        if self._raw.full():
            self._drop()
            with suppress(queue.Empty):  # the reader may have been quicker
                self._raw.get_nowait()
        self._raw.put_nowait((samples.copy(), captured_s))

    def _drop(self) -> None:
        self.overflows += 1
        self._gap = True

    def _finish(self) -> None:
        self._finished = True


def _mono(raw: Any) -> Float32:
    """(n, C) float32 or int16 to (n,) float32: the mean of the channels."""
    floats = raw.astype(np.float32) / 32768 if raw.dtype == np.int16 else raw
    return np.ascontiguousarray(floats[:, 0] if floats.shape[1] == 1 else floats.mean(1), np.float32)

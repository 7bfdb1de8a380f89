"""The loudspeaker or headphones, through which the other side of a call is heard."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..errors import DeviceError, DeviceLost
from ..packets import SAMPLE_RATE_HZ, Float32
from . import portaudio
from .base import AudioSink, Closing

BUFFER_S = 0.04
FULL_SCALE = 32767
REMEDY = "Choose another in the system's settings, or leave it out with `--speaker none`."


def loudspeaker() -> AudioSink:
    """The system's own choice, not open yet; DeviceError, with the remedy, if there is none."""
    sink = PulseLoudspeaker() if sys.platform == "linux" else SystemLoudspeaker()
    sink.open()  # whether it opens; it is opened again when somebody speaks
    sink.close()
    return sink


class PulseLoudspeaker(Closing):
    """On Linux, by the sound server (see `base.AudioSink`)."""

    def __init__(self) -> None:
        self._stream: Any = None

    def open(self) -> None:
        self.close()
        try:
            import pasimple

            buffer_bytes = int(BUFFER_S * SAMPLE_RATE_HZ) * 2
            self._stream = pasimple.PaSimple(
                pasimple.PA_STREAM_PLAYBACK, pasimple.PA_SAMPLE_S16LE, 1, SAMPLE_RATE_HZ, "lsp-cam", "call",
                tlength=buffer_bytes, prebuf=0,
            )  # fmt: skip
        except _failures() as error:
            raise DeviceError(
                f"No loudspeaker: the sound server says '{error}'. Start PulseAudio or PipeWire (`pactl info` tells "
                "whether one runs), or leave it out with `--speaker none`."
            ) from None

    def write(self, samples: Float32) -> None:
        levels = np.clip(samples * FULL_SCALE, -FULL_SCALE, FULL_SCALE).astype("<i2")
        try:
            self._stream.write(levels.tobytes())
        except _failures() as error:
            raise DeviceLost(f"The loudspeaker is gone ({error}). {REMEDY}") from None

    @property
    def latency_s(self) -> float:
        try:
            return float(self._stream.get_latency()) / 1e6
        except _failures() as error:
            raise DeviceLost(f"The loudspeaker is gone ({error}). {REMEDY}") from None

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def describe(self) -> str:
        return "loudspeaker (sound server)"


class SystemLoudspeaker(Closing):
    """Elsewhere, by PortAudio (see `base.AudioSink`). Written from its documentation; it has never run there."""

    def __init__(self) -> None:
        self._stream: Any = None

    def open(self) -> None:
        self.close()
        sounddevice = portaudio.load()
        try:
            self._stream = sounddevice.OutputStream(SAMPLE_RATE_HZ, channels=1, dtype="float32", latency=BUFFER_S)
            self._stream.start()
            portaudio.stream_open(self._stream)
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"The loudspeaker does not open ({error}). {REMEDY}") from None

    def write(self, samples: Float32) -> None:
        import sounddevice

        if portaudio.is_restart_due():
            self.close()
            raise DeviceLost("The loudspeaker waits while a microphone is looked for.")
        try:
            self._stream.write(samples[:, None])
        except sounddevice.PortAudioError as error:
            raise DeviceLost(f"The loudspeaker is gone ({error}). {REMEDY}") from None

    @property
    def latency_s(self) -> float:
        return float(self._stream.latency)

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            portaudio.stream_closed(stream)

    def describe(self) -> str:
        return "loudspeaker"


def _failures() -> tuple[type[Exception], ...]:
    """What the sound server's client raises: no server, a refusal, or no such library."""
    kinds: list[type[Exception]] = [OSError, ImportError, AttributeError]
    try:
        import pasimple

        kinds.append(pasimple.PaSimpleError)
    except (OSError, ImportError):
        pass
    return tuple(kinds)

"""The voice on macOS and Windows: played into a virtual cable that the user installed (BlackHole, VB-Cable).

Written from the documentation of these programs; it has never run there.
"""

from __future__ import annotations

import sys
from typing import Any

from ..errors import DeviceError, DeviceLost
from ..packets import SAMPLE_RATE_HZ, Float32
from . import portaudio
from .base import Closing

CABLES = ("BlackHole", "CABLE Input")
BUFFER_S = 0.04
MACOS = "brew install blackhole-2ch"
WINDOWS = "install VB-Cable from its maker's page (vb-audio.com/Cable) and start the machine again"


def find_cable() -> tuple[int, str]:
    """Number and name of the first virtual cable; DeviceError, with the remedy, if there is none."""
    import sounddevice

    for device in sounddevice.query_devices():
        if device["max_output_channels"] and device["name"].startswith(CABLES):
            return int(device["index"]), str(device["name"])
    remedy = MACOS if sys.platform == "darwin" else WINDOWS
    raise DeviceError(f"There is no virtual cable for the voice. To get one: {remedy}.")


class Cable(Closing):
    """See `base.AudioSink`."""

    def __init__(self) -> None:
        self._stream: Any = None
        self._name = CABLES[0]

    def open(self) -> None:
        self.close()
        import sounddevice

        index, self._name = find_cable()
        try:
            self._stream = sounddevice.OutputStream(
                SAMPLE_RATE_HZ, device=index, channels=1, dtype="float32", latency=BUFFER_S
            )
            self._stream.start()
            portaudio.stream_open(self._stream)
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"The virtual cable '{self._name}' does not open: {error}") from None

    def write(self, samples: Float32) -> None:
        import sounddevice

        if portaudio.is_restart_due():
            self.close()
            raise DeviceLost("The virtual cable waits while a microphone is looked for.")
        try:
            self._stream.write(samples[:, None])
        except sounddevice.PortAudioError as error:
            raise DeviceLost(f"The virtual cable '{self._name}' is gone ({error}).") from None

    @property
    def latency_s(self) -> float:
        return float(self._stream.latency)

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
            portaudio.stream_closed(stream)

    def describe(self) -> str:
        return f"{self._name} (virtual cable)"

"""LSP Mic: a microphone that other programs can take, and which hears what is written here.

On Linux it is made of two modules of the sound server (PulseAudio, or PipeWire in its place): a loudspeaker that nobody
hears, and a microphone that hears it. They are ours alone: made by `open`, taken away by `close`, and what a killed
process left behind is taken away first. Elsewhere the voice is played into a virtual cable that the user installed.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..errors import DeviceError, DeviceLost
from ..packets import SAMPLE_RATE_HZ, Float32
from .base import AudioSink, Closing
from .pulseguard import PulseGuard, Watch

LABEL = "LSP Mic"
SINK, SOURCE = "lsp_cam_voice", "lsp_cam_mic"
BUFFER_S = 0.04
FULL_SCALE = 32767
REMEDY = "Start PulseAudio or PipeWire (`pactl info` tells whether one runs), or leave it out with `--mic-out none`."


def virtual_microphone() -> AudioSink:
    """The virtual microphone of this system, not open yet; DeviceError, with the remedy, if there can be none."""
    if sys.platform != "linux":
        from .cable import Cable, find_cable

        find_cable()
        return Cable()
    try:
        _server().close()
    except _failures() as error:
        raise _no_server(error) from None
    return PulseMicrophone()


class PulseMicrophone(Closing):
    """See `base.AudioSink`."""

    def __init__(self) -> None:
        self._modules: list[int] = []
        self._stream: Any = None
        self._watch: Watch | None = None

    def open(self) -> None:
        self.close()
        try:
            with _server() as server:
                self._sweep(server)
                chosen = server.server_info().default_source_name
                for name, arguments in _modules():  # one by one, so that `close` knows of each
                    self._modules.append(server.module_load(name, arguments))
                if server.server_info().default_source_name != chosen:
                    server.default_set(server.get_source_by_name(chosen))  # nobody asked to speak through it
            self._stream = _stream()
            self._watch = Watch(PulseGuard(self._modules, (SINK, SOURCE)), _server, _failures())
        except _failures() as error:
            self.close()
            raise _no_server(error) from None

    def write(self, samples: Float32) -> None:
        levels = np.clip(samples * FULL_SCALE, -FULL_SCALE, FULL_SCALE).astype("<i2")
        try:
            if self._watch is not None and self._watch.problem is not None:
                raise self._watch.problem
            self._stream.write(levels.tobytes())
        except _failures() as error:
            raise DeviceLost(f"The virtual microphone is gone ({error}). Is the sound server running?") from None

    @property
    def latency_s(self) -> float:
        try:
            return float(self._stream.get_latency()) / 1e6
        except _failures() as error:
            raise DeviceLost(f"The virtual microphone is gone ({error}). Is the sound server running?") from None

    def close(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        if not self._modules:
            return
        self._modules = []
        try:
            with _server() as server:
                self._sweep(server)
        except _failures():
            return  # the server is gone, and with it its modules

    def describe(self) -> str:
        return f"{LABEL} (sound server)"

    @staticmethod
    def _sweep(server: Any) -> None:
        """Take our modules away, whoever made them: the microphone before the loudspeaker that it hears."""
        ours = [m for m in server.module_list() if m.argument and (SINK in m.argument)]
        for module in sorted(ours, key=lambda m: m.index, reverse=True):
            server.module_unload(module.index)


def _modules() -> list[tuple[str, str]]:
    """Names and arguments of the modules that make the microphone."""
    sink = f"sink_name={SINK} rate=48000 channels=1 channel_map=mono norewinds=1"
    # PipeWire would make a stereo source of it, which is 3 dB louder to whoever records in mono.
    source = f"source_name={SOURCE} master={SINK}.monitor channels=1 channel_map=mono"
    return [
        ("module-null-sink", f"""{sink} sink_properties='device.description="{LABEL} (internal)"'"""),
        ("module-remap-source", f"""{source} source_properties='device.description="{LABEL}"'"""),
    ]


def _no_server(error: Exception) -> DeviceError:
    return DeviceError(f"There is no virtual microphone: the sound server says '{error}'. {REMEDY}")


def _server() -> Any:
    import pulsectl

    return pulsectl.Pulse("lsp-cam")


def _stream() -> Any:
    import pasimple

    buffer_bytes = int(BUFFER_S * SAMPLE_RATE_HZ) * 2
    return pasimple.PaSimple(
        pasimple.PA_STREAM_PLAYBACK, pasimple.PA_SAMPLE_S16LE, 1, SAMPLE_RATE_HZ, "lsp-cam", LABEL,
        device_name=SINK, tlength=buffer_bytes, prebuf=0,
    )  # fmt: skip


def _failures() -> tuple[type[Exception], ...]:
    """What these libraries raise: when the server does not answer, says no, or its client library is not there."""
    kinds: list[type[Exception]] = [OSError, ImportError, AttributeError]
    try:
        import pasimple
        import pulsectl

        kinds += [pasimple.PaSimpleError, pulsectl.PulseError]
    except (OSError, ImportError):
        pass
    return tuple(kinds)

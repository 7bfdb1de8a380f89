"""What the loudspeakers play, as a microphone: the other side of any call moves a portrait.

The sound server (PulseAudio, or PipeWire in its place) has a monitor for every loudspeaker, called "Monitor of …".
PortAudio lists none of them, so they are taken from the server itself.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DeviceError
from ..packets import SAMPLE_RATE_HZ
from .base import BACKLOG_S, BLOCK_S, BLOCK_SAMPLES, AudioBlock
from .microphone import Microphone, Recording

PREFIX, SUFFIX = "monitor of", ".monitor"
OWN = "lsp_cam_voice"
RECORDING = "lsp-cam monitor"
FULL_SCALE = 32768
LOOK_S = 1.0
MUTE_S = 0.3
"""After so long without a sample nothing is playing, and that is silence."""


@dataclass(frozen=True, slots=True)
class MonitorInfo:
    """A loudspeaker's monitor. `name` is for people, `source` for the server; `is_default`: of the usual one."""

    name: str
    source: str
    is_default: bool


def is_monitor(wanted: str | int | None) -> bool:
    """Whether a microphone's name means a loudspeaker's monitor."""
    return isinstance(wanted, str) and (wanted.lower().startswith(PREFIX) or wanted.lower().endswith(SUFFIX))


def monitors() -> list[MonitorInfo]:
    """Every monitor but our own virtual microphone's. DeviceError where no sound server answers."""
    with _server() as server:
        default = f"{server.server_info().default_sink_name}{SUFFIX}"
        found = [s for s in server.source_list() if s.name.endswith(SUFFIX) and not s.name.startswith(OWN)]
    return [MonitorInfo(s.description or s.name, s.name, s.name == default) for s in found]


def choose_monitor(wanted: str) -> MonitorInfo:
    """The monitor of that name or part of it (in any case). DeviceError, which lists what is there, unless one fits."""
    found = monitors()
    asked = wanted.lower().rstrip("… .")
    fitting = [m for m in found if asked in (m.name.lower(), m.source.lower())]
    fitting = fitting or [m for m in found if asked in m.name.lower() or asked in m.source.lower()]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(m.name for m in fitting or found) or "none"
    if fitting:
        raise DeviceError(f"Several monitors fit '{wanted}': {listed}. Give more of the name.")
    raise DeviceError(f"There is no '{wanted}'. Monitors of loudspeakers: {listed}. See `lsp-cam devices`.")


class Monitor(Microphone):
    """A loudspeaker's monitor by name or part of it; in all else a `Microphone`."""

    def _begin(self, device: str | int | None) -> Recording:
        chosen = choose_monitor(str(device))
        self._wanted, self.name = chosen.source, chosen.name
        return MonitorCapture(chosen)

    def _again(self, anew: bool) -> Recording | None:
        return None if anew else MonitorCapture(choose_monitor(str(self._wanted)))


class MonitorCapture:
    """An open recording of a monitor; it runs from the start. Raises DeviceError if it cannot be opened."""

    def __init__(self, monitor: MonitorInfo) -> None:
        self.overflows = 0
        self._monitor = monitor
        self._blocks: queue.Queue[AudioBlock] = queue.Queue(round(BACKLOG_S / BLOCK_S))
        self._gap = self._finished = False
        self._given_s = self._looked_s = time.monotonic()
        try:
            import pasimple

            self._stream = pasimple.PaSimple(
                pasimple.PA_STREAM_RECORD, pasimple.PA_SAMPLE_S16LE, 1, SAMPLE_RATE_HZ, "lsp-cam", RECORDING,
                device_name=monitor.source, fragsize=2 * BLOCK_SAMPLES,
            )  # fmt: skip
        except _failures() as error:
            raise DeviceError(f"'{monitor.name}' cannot be heard ({error}). Is the sound server running?") from None
        self._thread = threading.Thread(target=self._listen, name="monitor", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the monitor is still there, and still what is recorded."""
        if not self._finished and time.monotonic() - self._looked_s > LOOK_S:
            self._looked_s = time.monotonic()
            self._finished = not self._is_heard()
        return not self._finished

    def get(self, timeout_s: float) -> AudioBlock | None:
        """The next block, or silence while nothing is playing; None if none came in time."""
        try:
            block = self._blocks.get(timeout=max(timeout_s, 0.0))
        except queue.Empty:
            now_s = time.monotonic()
            if now_s - self._given_s < MUTE_S:
                return None
            count = int((now_s - self._given_s) / BLOCK_S) * BLOCK_SAMPLES
            block = AudioBlock(np.zeros(count, np.float32), now_s)
        self._given_s = block.captured_s
        return block

    def close(self) -> None:
        """The thread closes the stream, which must not go while it reads."""
        self._finished = True
        self._thread.join(LOOK_S)

    def _listen(self) -> None:
        try:
            while not self._finished:
                levels = np.frombuffer(self._stream.read(2 * BLOCK_SAMPLES), "<i2")
                self._take(AudioBlock((levels / FULL_SCALE).astype(np.float32), time.monotonic(), self._gap))
        except _failures():
            pass  # the server or the loudspeaker went away; `alive` tells
        finally:
            self._finished = True
            self._stream.close()

    def _take(self, block: AudioBlock) -> None:
        """Enqueue; when the reader is late, the oldest goes."""
        self._gap = self._blocks.full()
        if self._gap:
            self.overflows += 1
            with suppress(queue.Empty):
                self._blocks.get_nowait()
        self._blocks.put_nowait(block)

    def _is_heard(self) -> bool:
        """Servers move a recording whose loudspeaker is gone to something else, the microphone maybe."""
        try:
            with _server() as server:
                ours = {s.index for s in server.source_list() if s.name == self._monitor.source}
                return any(
                    output.source in ours
                    for output in server.source_output_list()
                    if output.proplist.get("application.process.id") == str(os.getpid()) and output.name == RECORDING
                )
        except DeviceError:
            return False


@contextmanager
def _server() -> Iterator[Any]:
    """A connection to the sound server; what it raises becomes DeviceError."""
    if sys.platform != "linux":
        raise DeviceError("Monitors of loudspeakers are found on Linux only. Elsewhere take a virtual cable as --mic.")
    try:
        import pulsectl

        with pulsectl.Pulse("lsp-cam") as server:
            yield server
    except _failures() as error:
        raise DeviceError(
            f"The sound server says '{error}'. Monitors of loudspeakers need PulseAudio or PipeWire "
            "(`pactl info` tells whether one runs)."
        ) from None


def _failures() -> tuple[type[Exception], ...]:
    """What these libraries raise: no server, a refusal, or no such library."""
    kinds: list[type[Exception]] = [OSError, ImportError, AttributeError]
    with suppress(OSError, ImportError):
        import pasimple
        import pulsectl

        kinds += [pasimple.PaSimpleError, pulsectl.PulseError]
    return tuple(kinds)

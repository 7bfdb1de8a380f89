"""PortAudio as `sounddevice` shows it, without sound: devices that refuse, stall and vanish on command."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np


class PortAudioError(Exception):
    pass


class FakeSoundDevice:
    """Stands in for the module. `devices` as query_devices gives them; `takes` are the ways a device can be opened.

    `plugged` is what is really there; `devices` is what PortAudio knows since it started.
    """

    PortAudioError = PortAudioError

    def __init__(self, devices: list[dict[str, Any]], default: int = 0) -> None:
        self.plugged = devices
        self.devices = list(devices)
        self.default = SimpleNamespace(device=[default, -1])
        self.takes: set[tuple[int, int, str]] = {(16_000, 1, "float32")}
        self.streams: list[FakeStream] = []
        self.restarts = 0

    def query_devices(self) -> list[dict[str, Any]]:
        return self.devices

    def _terminate(self) -> None:
        assert not [s for s in self.streams if not s.closed], "open streams would be left without PortAudio"

    def _initialize(self) -> None:
        self.restarts += 1
        self.devices = list(self.plugged)

    def InputStream(self, **options: Any) -> FakeStream:
        device = next((d for d in self.devices if d["index"] == options["device"]), None)
        if device not in self.plugged:
            raise PortAudioError("Device unavailable")
        way = (options["samplerate"], options["channels"], options["dtype"])
        if way not in self.takes:
            raise PortAudioError("Invalid sample rate")
        stream = FakeStream(**options)
        self.streams.append(stream)
        return stream


class FakeStream:
    """Calls back only when told to, by `give` or `run`."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.started = self.closed = False
        self._callback: Callable[..., None] = options["callback"]
        self._stop = threading.Event()

    def start(self) -> None:
        self.started = True

    def abort(self, ignore_errors: bool = True) -> None:
        self._stop.set()

    def close(self, ignore_errors: bool = True) -> None:
        self._stop.set()
        self.closed = True

    def give(self, samples: Any, *, age_s: float = 0.0, overflow: bool = False) -> None:
        """One callback with (N,) or (N, C) samples, the first of which is `age_s` old."""
        block = np.atleast_2d(samples.T).T
        times = SimpleNamespace(currentTime=50.0, inputBufferAdcTime=50.0 - age_s)
        self._callback(block, len(block), times, SimpleNamespace(input_overflow=overflow))

    def run(self, seconds: float, level: float = 0.5) -> None:
        """Callbacks in real time for so long, or until it is closed."""
        rate_hz, blocksize = self.options["samplerate"], self.options["blocksize"]
        for _ in range(round(seconds * rate_hz / blocksize)):
            if self._stop.is_set():
                return
            time.sleep(blocksize / rate_hz)
            self.give(np.full((blocksize, self.options["channels"]), level, self.options["dtype"]))

    def vanish(self) -> None:
        """What PortAudio does when the device fails."""
        self._stop.set()
        self.options["finished_callback"]()


def device(index: int, name: str, *, inputs: int = 1, api: int = 0, rate_hz: float = 48_000.0) -> dict[str, Any]:
    return {"index": index, "name": name, "hostapi": api, "max_input_channels": inputs, "default_samplerate": rate_hz}

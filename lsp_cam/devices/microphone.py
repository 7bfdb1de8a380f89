"""The microphone: sound as it is spoken, and silence while the device is unplugged."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

import numpy as np

from ..errors import DeviceError
from ..packets import SAMPLE_RATE_HZ
from . import portaudio
from .base import BLOCK_S, BLOCK_SAMPLES, AudioBlock, Closing, SourceState
from .capture import Capture

log = logging.getLogger(__name__)

CHECK_S = 0.1
RETRY_S = 1.0
PATIENT_AFTER_S = 60.0
PATIENT_RETRY_S = 5.0
SILENT_AFTER_S = 3.0
"""Nothing but zeros for so long: the device is muted. A microphone that hears a quiet room gives noise."""
MAX_FILL_S = 1.0


class Recording(Protocol):
    """An open stream of a device (see `capture.Capture`)."""

    overflows: int

    @property
    def alive(self) -> bool: ...

    def get(self, timeout_s: float) -> AudioBlock | None: ...

    def close(self) -> None: ...


class Microphone(Closing):
    """A microphone by number, by name or part of it, or the default one (see `base.AudioSource`).

    Raises DeviceError, which names what is there, if it cannot be opened. If it goes away later, `read` goes
    on with silence in real time while a thread looks for it every second: under the same name, so a replugged
    device is found under whatever number it has now. Looking for it starts PortAudio anew when no other stream
    is open (see `portaudio`).
    """

    def __init__(self, device: str | int | None = None) -> None:
        self._wanted: str | None = None
        self.name = ""
        self.reconnects = 0
        self._lost_overflows = 0
        self._capture: Recording | None = self._begin(device)
        self._delivered_s = self._heard_s = time.monotonic()
        self._resumed = False
        self._pending: AudioBlock | None = None
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="microphone", daemon=True)
        self._watcher.start()

    @property
    def state(self) -> SourceState:
        if self._closing.is_set():
            return "ended"
        if self._capture is None:
            return "lost"
        return "silent" if time.monotonic() - self._heard_s > SILENT_AFTER_S else "live"

    @property
    def overflows(self) -> int:
        capture = self._capture
        return self._lost_overflows + (capture.overflows if capture else 0)

    def read(self, timeout_s: float) -> AudioBlock | None:
        """The next block; while the device is lost, silence for the time that has passed."""
        deadline_s = time.monotonic() + timeout_s
        while not self._closing.is_set():
            left_s = deadline_s - time.monotonic()
            capture = self._capture
            block = self._silence() if capture is None else self._heard(capture, min(max(left_s, 0.0), CHECK_S))
            if block is not None:
                self._delivered_s = block.captured_s
                return block
            if left_s <= 0:
                return None
            if capture is None:
                self._closing.wait(min(left_s, BLOCK_S / 2))
        return None

    def close(self) -> None:
        self._closing.set()
        if threading.current_thread() is not self._watcher:
            self._watcher.join(10.0)
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.close()

    def _begin(self, device: str | int | None) -> Recording:
        """Open the device for the first time, and note what it is called."""
        chosen = portaudio.choose_input(device)
        self._wanted = None if device is None else chosen.name
        self.name = chosen.name
        return Capture(chosen)

    def _again(self, anew: bool) -> Recording | None:
        """Open it once more, having looked for devices `anew` or not; None where that cannot be done now."""
        if anew and not portaudio.restart():
            return None
        return Capture(portaudio.choose_input(self._wanted))

    def _heard(self, capture: Recording, timeout_s: float) -> AudioBlock | None:
        block, self._pending = self._pending or capture.get(timeout_s), None
        if block is None:
            return None
        if block.samples.any():
            self._heard_s = time.monotonic()
        if not self._resumed:
            return block
        # The first block after a loss: silence up to where it starts, then the block.
        self._resumed = False
        missing = round((block.captured_s - self._delivered_s) * SAMPLE_RATE_HZ) - len(block.samples)
        marked = AudioBlock(block.samples, block.captured_s, True)
        if missing <= 0:
            return marked
        self._pending = marked
        return AudioBlock(np.zeros(missing, np.float32), self._delivered_s + missing / SAMPLE_RATE_HZ)

    def _silence(self) -> AudioBlock | None:
        self._pending = None
        passed_s = min(time.monotonic() - self._delivered_s, MAX_FILL_S)
        samples = int(passed_s / BLOCK_S) * BLOCK_SAMPLES
        if samples <= 0:
            return None
        return AudioBlock(np.zeros(samples, np.float32), self._delivered_s + samples / SAMPLE_RATE_HZ)

    def _watch(self) -> None:
        """The watcher's thread: notices the loss, and looks for the device."""
        lost_s = 0.0
        while not self._closing.wait(CHECK_S):
            capture = self._capture
            if capture is not None and (capture.alive or self._was_a_pause(capture)):
                continue
            if capture is not None:
                log.warning("The microphone '%s' went away; silence until it is back.", self.name)
                lost_s = time.monotonic()
                self._lost_overflows += capture.overflows
                self._capture = None
                capture.close()
            if self._reconnect():
                log.warning("The microphone '%s' is back.", self.name)
                continue
            patient = time.monotonic() - lost_s > PATIENT_AFTER_S
            self._closing.wait(PATIENT_RETRY_S if patient else RETRY_S)

    def _was_a_pause(self, capture: Recording) -> bool:
        """Whether it was the whole process that stood still, not the microphone."""
        self._closing.wait(CHECK_S)
        return capture.alive

    def _reconnect(self) -> bool:
        """Try the devices that PortAudio knows, then those that it finds when it starts anew."""
        for anew in (False, True):
            try:
                capture = self._again(anew)
            except DeviceError as error:
                log.debug("Not yet: %s", error)
                continue
            if capture is None:
                return False
            self._heard_s = time.monotonic()
            self._resumed = True
            self.reconnects += 1
            self._capture = capture
            return True
        return False

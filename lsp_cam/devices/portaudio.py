"""PortAudio, which every sound device goes through: loading it, its devices, and starting it anew.

PortAudio sees the devices that were there when it started. To find one that was plugged in later it must be
started anew, and that pulls the rug from under every open stream: whoever opens one does so inside `stream_open` and
`stream_closed`, and `restart` refuses while others have streams. Those that can be opened again at any time give way:
they close when `is_restart_due`.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ..errors import DeviceError

log = logging.getLogger(__name__)
lock = threading.RLock()
_open_streams: set[int] = set()
_restart_due = threading.Event()

NO_MICROPHONE = (
    "No microphone was found. Plug one in; on Linux, PulseAudio needs the package libasound2-plugins, and PipeWire "
    "needs pipewire-alsa. Or give an audio file instead."
)


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One microphone as PortAudio lists it. `api` is the sound system, `rate_hz` the device's own rate."""

    index: int
    name: str
    api: int
    channels: int
    rate_hz: float
    is_default: bool


def load() -> Any:
    """The `sounddevice` module; raises DeviceError, with the package to install, if PortAudio is not there."""
    try:
        with lock:
            import sounddevice
    except OSError as error:
        fix = "pip install --force-reinstall sounddevice"
        if sys.platform == "linux":
            fix = "lsp-cam setup (or, on Debian: sudo apt install libportaudio2)"
        raise DeviceError(f"The sound library PortAudio does not load ({error}). Install it: {fix}") from error
    except Exception as error:  # PortAudioError cannot be named before the import has succeeded
        raise DeviceError(f"PortAudio does not start ({error}). Is the sound system running?") from error
    return sounddevice


def stream_open(stream: Any) -> None:
    """Remember an open stream."""
    with lock:
        _open_streams.add(id(stream))


def stream_closed(stream: Any) -> None:
    """Forget a stream that was closed."""
    with lock:
        _open_streams.discard(id(stream))


def restart() -> bool:
    """Start PortAudio anew so that it sees what was plugged in since. False, and nothing done, if streams are open."""
    sounddevice = load()
    with lock, quiet():
        if _open_streams:
            _restart_due.set()
            return False
        _restart_due.clear()
        with suppress(sounddevice.PortAudioError):  # an earlier restart may have failed half-way
            sounddevice._terminate()
        try:
            sounddevice._initialize()
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"PortAudio does not start again ({error}). Is the sound system running?") from error
    return True


def is_restart_due() -> bool:
    """Whether somebody waits for all streams to be closed."""
    return _restart_due.is_set()


def inputs() -> list[InputDevice]:
    """Every device with input channels, in PortAudio's order."""
    sounddevice = load()
    with lock, quiet():
        try:
            found = list(sounddevice.query_devices())
            default = sounddevice.default.device[0]
        except sounddevice.PortAudioError as error:
            raise DeviceError(f"The microphones cannot be listed ({error}). Is the sound system running?") from error
    return [
        InputDevice(
            d["index"], d["name"], d["hostapi"], d["max_input_channels"], d["default_samplerate"], d["index"] == default
        )
        for d in found
        if d["max_input_channels"] > 0
    ]


def choose_input(wanted: str | int | None) -> InputDevice:
    """The microphone with that number, that name or part of a name (in any case), or the default one.

    Raises DeviceError, which lists what is there, if none or several fit.
    """
    devices = inputs()
    if not devices:
        raise DeviceError(NO_MICROPHONE)
    if wanted is None:
        return next((d for d in devices if d.is_default), devices[0])
    if isinstance(wanted, int) or wanted.isdecimal():
        fitting = [d for d in devices if d.index == int(wanted)]
    else:
        fitting = _by_name(devices, wanted)
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(f"{d.index} {d.name}" for d in fitting or devices)
    if fitting:
        raise DeviceError(f"Several microphones fit '{wanted}': {listed}. Give the number or more of the name.")
    raise DeviceError(f"There is no microphone '{wanted}'. There are: {listed}. See `lsp-cam devices`.")


def _by_name(devices: list[InputDevice], wanted: str) -> list[InputDevice]:
    fitting = [d for d in devices if wanted.lower() in d.name.lower()]
    exact = [d for d in fitting if d.name.lower() == wanted.lower()]
    fitting = exact or fitting
    # Windows and macOS list a device once for each sound system: the default one's will do.
    default_api = next((d.api for d in devices if d.is_default), None)
    return [d for d in fitting if d.api == default_api] or fitting


@contextmanager
def quiet() -> Iterator[None]:
    """Send what PortAudio and ALSA print on stderr to the log (debug) instead: to users it looks like failure."""
    try:
        kept = os.dup(2)
    except OSError:  # no stderr at all
        yield
        return
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught.read().decode(errors="replace").splitlines():
                if line.strip():
                    log.debug("PortAudio: %s", line)

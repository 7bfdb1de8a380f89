"""LSP Mic on a real sound server: nobody is made to hear themselves, and what is taken away comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import pasimple
import pytest

from lsp_cam.devices import virtualmic
from lsp_cam.devices.virtualmic import PulseMicrophone
from lsp_cam.errors import DeviceLost

from . import pulse as pulse_audio
from .pulse import PulseServer, pulse_server

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not pulse_audio.available(), reason="PulseAudio is not installed"),
]
BLOCK = np.zeros(160, np.float32)


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    monkeypatch.setattr(virtualmic, "CHECK_S", 0.1)
    with pulse_server(loudspeaker=False) as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        yield server


def heard_from(pulse: PulseServer) -> tuple[str, bool]:
    """Which source our recording hears, and whether it is muted."""
    names = {line.split()[0]: line.split()[1] for line in pulse.pactl("list", "short", "sources").splitlines()}
    for told in pulse.pactl("list", "source-outputs").split("Source Output #")[1:]:
        if 'application.name = "ear"' in told:
            return names[told.split("Source: ")[1].split()[0]], "Mute: yes" in told
    raise AssertionError("the recording is gone")


def own_recording(pulse: PulseServer) -> str:
    """The number of our recording."""
    parts = pulse.pactl("list", "source-outputs").split("Source Output #")[1:]
    return next(part.split()[0] for part in parts if 'application.name = "ear"' in part)


def test_a_microphone_that_is_unplugged_is_not_replaced_by_our_own(pulse: PulseServer) -> None:
    with PulseMicrophone() as microphone:
        microphone.open()
        ear = pasimple.PaSimple(
            pasimple.PA_STREAM_RECORD, pasimple.PA_SAMPLE_S16LE, 1, 16_000, "ear", device_name="test_mic"
        )
        speak_until(microphone, lambda: heard_from(pulse) == ("test_mic", False))
        pulse.unplug()
        speak_until(microphone, lambda: heard_from(pulse) in (("lsp_cam_mic", True), ("lsp_cam_voice.monitor", True)))
        pulse.plug()
        speak_until(microphone, lambda: heard_from(pulse) == ("test_mic", False))
        pulse.pactl("move-source-output", own_recording(pulse), "lsp_cam_mic")
        speak_until(microphone, lambda: heard_from(pulse) == ("test_mic", False))
        ear.close()


@pytest.mark.parametrize("which", ["source_name=lsp_cam_mic", "sink_name=lsp_cam_voice"])
def test_a_virtual_microphone_that_was_taken_away_is_lost_and_can_be_made_again(pulse: PulseServer, which: str) -> None:
    with PulseMicrophone() as microphone:
        microphone.open()
        module = next(line for line in pulse.pactl("list", "short", "modules").splitlines() if which in line)
        pulse.pactl("unload-module", module.split()[0])
        with pytest.raises(DeviceLost):
            speak_until(microphone, lambda: False)
        microphone.open()
        assert "lsp_cam_mic" in pulse.pactl("list", "short", "sources")
        microphone.write(BLOCK)
    assert "lsp_cam" not in pulse.pactl("list", "short", "modules")


def speak_until(microphone: PulseMicrophone, condition: object) -> None:
    assert callable(condition)
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        for _ in range(10):
            microphone.write(BLOCK)

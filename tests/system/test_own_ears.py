"""LSP Mic on a real sound server: nobody is made to hear themselves, and what is taken away comes back."""

from __future__ import annotations

import subprocess
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pasimple
import pytest

from lsp_cam.devices.virtualmic import PulseMicrophone
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import DeviceLost

from .. import needs
from .pulse import PulseServer, pulse_server

pytestmark = [pytest.mark.system, needs.pulse_audio]
BLOCK = np.zeros(160, np.float32)


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
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


def stream_of(pulse: PulseServer, player: subprocess.Popen[bytes]) -> str:
    """The number of a program's sound."""
    parts = pulse.pactl("list", "sink-inputs").split("Sink Input #")[1:]
    return next(part.split()[0] for part in parts if f'application.process.id = "{player.pid}"' in part)


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


def played_on(pulse: PulseServer, player: subprocess.Popen[bytes]) -> str:
    """Which sink a program plays on; "" before it plays."""
    names = {line.split()[0]: line.split()[1] for line in pulse.pactl("list", "short", "sinks").splitlines()}
    for told in pulse.pactl("list", "sink-inputs").split("Sink Input #")[1:]:
        if f'application.process.id = "{player.pid}"' in told:
            return names[told.split("Sink: ")[1].split()[0]]
    return ""


def long_enough(recording: Path, since: int = 0) -> bool:
    """Whether a second has been recorded."""
    return recording.exists() and recording.stat().st_size > since + 2 * 16_000


def test_what_others_play_is_kept_out_when_the_last_loudspeaker_goes(pulse: PulseServer, tmp_path: Path) -> None:
    music, taken = tmp_path / "music.wav", tmp_path / "taken.wav"
    with wave.open(str(music), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((10_000 * np.sin(np.arange(16_000 * 60) / 5)).astype("<i2").tobytes())
    with PulseMicrophone() as microphone:
        microphone.open()
        player = pulse.play(music)
        listener = pulse.record(taken, "lsp_cam_mic")
        speak_until(microphone, lambda: played_on(pulse, player) == "mic_feed" and long_enough(taken))
        pulse.unplug()
        speak_until(microphone, lambda: played_on(pulse, player) == "lsp_cam_voice_aside")
        before = taken.stat().st_size
        speak_until(microphone, lambda: long_enough(taken, before))
        listener.terminate()  # plugging in would let it hear the microphone, where the music is again
        listener.wait()
        pulse.plug()
        speak_until(microphone, lambda: played_on(pulse, player) == "mic_feed")
        assert "aside" not in pulse.pactl("list", "short", "modules"), "and nothing is left of it"
        pulse.pactl("move-sink-input", stream_of(pulse, player), "lsp_cam_voice")
        speak_until(microphone, lambda: played_on(pulse, player) == "mic_feed")
        player.terminate()
        player.wait()
        loud = np.abs(read_audio(taken)) > 0.01
        assert loud.sum() < 0.5 * 16_000, f"{loud.sum() / 16_000} s, where it should be a moment before it is moved"


def speak_until(microphone: PulseMicrophone, condition: object) -> None:
    assert callable(condition)
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        for _ in range(10):
            microphone.write(BLOCK)

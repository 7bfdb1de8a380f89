"""What a loudspeaker plays, heard as a microphone, on a real sound server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.config import RunSettings
from lsp_cam.daemon.choose import choose_microphone, open_microphone
from lsp_cam.daemon.options import is_audio_file
from lsp_cam.devices import catalogue
from lsp_cam.devices.base import AudioSource
from lsp_cam.devices.monitor import Monitor, choose_monitor, monitors
from lsp_cam.devices.virtualmic import PulseMicrophone
from lsp_cam.errors import DeviceError
from lsp_cam.packets import SAMPLE_RATE_HZ

from .. import needs
from .pulse import PulseServer, pulse_server

pytestmark = [pytest.mark.system, needs.pulse_audio]
NAME = "Monitor of LspMicSink"


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    with pulse_server() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """Ten seconds of 440 Hz."""
    import wave

    levels = (8000 * np.sin(2 * np.pi * 440 * np.arange(10 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)).astype("<i2")
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(levels.tobytes())
    return tmp_path / "tone.wav"


def hear_until(source: AudioSource, condition: Callable[[np.ndarray], object]) -> None:
    """Read until a second of what is heard fulfils `condition`."""
    heard, deadline_s = np.zeros(0, np.float32), time.monotonic() + 60
    while not (len(heard) >= SAMPLE_RATE_HZ and condition(heard[-SAMPLE_RATE_HZ:])):
        assert time.monotonic() < deadline_s, "it did not happen"
        block = source.read(0.2)
        if block is not None:
            heard = np.concatenate([heard, block.samples])[-SAMPLE_RATE_HZ:]


def is_tone(heard: np.ndarray) -> bool:
    spectrum = np.abs(np.fft.rfft(heard))
    return bool(np.abs(heard).max() > 0.1 and abs(int(spectrum.argmax()) - 440) <= 1)


def test_monitors_are_listed_and_open_by_name(pulse: PulseServer) -> None:
    assert {m.name for m in monitors()} == {NAME, "Monitor of MicFeed"}
    assert [m.source for m in monitors() if m.is_default] == ["lsp_out.monitor"]
    with PulseMicrophone() as voice:
        voice.open()
        assert {m.name for m in monitors()} == {NAME, "Monitor of MicFeed"}, "never our own voice"
    listed = [d for d in catalogue.list_devices()[0] if d.kind == "microphone"]
    assert NAME in {d.id for d in listed if d.detail == "what a loudspeaker plays"}
    assert choose_monitor("monitor of lspmic").name == choose_monitor("lsp_out.monitor").name == NAME
    with pytest.raises(DeviceError, match="Several monitors"):
        choose_monitor("Monitor of …")
    with pytest.raises(DeviceError, match="Monitors of loudspeakers: Monitor of"):
        choose_microphone("Monitor of nothing", loop=True)


def test_what_is_played_is_heard_and_silence_is_told(pulse: PulseServer, tone: Path) -> None:
    opened, missing = choose_microphone(NAME, loop=True)
    assert not missing
    source = opened()
    try:
        assert source.name == NAME
        hear_until(source, lambda heard: not heard.any())
        player = pulse.play(tone, "lsp_out")
        hear_until(source, is_tone)
        assert source.state == "live"
        player.kill()
        player.wait()
        hear_until(source, lambda heard: not heard.any())
    finally:
        source.close()
    assert source.state == "ended"
    assert source.read(0.1) is None


def test_a_loudspeaker_that_goes_is_silence_and_never_the_microphone(pulse: PulseServer, tone: Path) -> None:
    source = open_microphone("Monitor of LspMicSink")
    player = pulse.play(tone, "mic_feed")
    try:
        hear_until(source, lambda heard: not heard.any())
        sink = next(m for m in pulse.pactl("list", "short", "modules").splitlines() if "sink_name=lsp_out" in m)
        pulse.pactl("unload-module", sink.split()[0])
        hear_until(source, lambda heard: source.state == "lost")
        player.kill()
        player.wait()
        name, arguments = sink.split("\t")[1:3]
        pulse.pactl("load-module", name, *arguments.split())
        hear_until(source, lambda heard: source.reconnects == 1)
        player = pulse.play(tone, "lsp_out")
        hear_until(source, is_tone)
    finally:
        player.kill()
        player.wait()
        source.close()


def test_without_a_sound_server_it_says_so(pulse: PulseServer) -> None:
    pulse.crash()
    with pytest.raises(DeviceError, match="pactl info"):
        Monitor(NAME)


def test_a_name_with_a_slash_is_no_file() -> None:
    assert not is_audio_file("Monitor of HDMI / DisplayPort")
    assert RunSettings(mic="Monitor of HDMI / DisplayPort").mic.startswith("Monitor")

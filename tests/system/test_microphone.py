"""The microphone on a real sound server: what is heard, at which rates, and what happens when it is unplugged."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.devices import portaudio
from lsp_cam.devices.base import AudioBlock
from lsp_cam.devices.capture import Capture
from lsp_cam.devices.microphone import Microphone
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import DeviceError
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32

from .. import needs
from .pulse import PulseServer, pulse_server

pytestmark = [pytest.mark.system, needs.pulse_audio]


@contextmanager
def heard_by(server: PulseServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point this process's PortAudio to the server."""
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    portaudio.restart()
    yield
    portaudio.restart()


both_rates = pytest.mark.parametrize("pulse", [48_000, 44_100], ids=["48k", "44k1"], indirect=True)


@pytest.fixture
def pulse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseServer]:
    with pulse_server(getattr(request, "param", 48_000)) as server, heard_by(server, monkeypatch):
        yield server


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    text = "The quick brown fox jumps over the lazy dog, and then it sleeps until the evening."
    subprocess.run(["espeak-ng", "-w", str(path), text], check=True)
    return path


def listen(microphone: Microphone, seconds: float) -> list[AudioBlock]:
    end_s = time.monotonic() + seconds
    blocks = []
    while time.monotonic() < end_s:
        block = microphone.read(0.2)
        if block is not None:
            blocks.append(block)
    return blocks


def join(blocks: list[AudioBlock]) -> Float32:
    return np.concatenate([b.samples for b in blocks])


def best_correlation(heard: Float32, source: Float32) -> tuple[float, int]:
    """The highest normalised correlation of `source` with any stretch of `heard`, and where that stretch starts."""
    size = 1 << (len(heard) + len(source)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(source, size)), size)
    start = int(np.argmax(products[: len(heard) - len(source)]))
    stretch = heard[start : start + len(source)]
    return float(stretch @ source / np.sqrt((stretch @ stretch) * (source @ source))), start


@both_rates
def test_speech_comes_through(pulse: PulseServer, speech: Path) -> None:
    source = read_audio(speech)
    with Microphone("TEST_mic") as microphone:
        player = pulse.play(speech)
        blocks = listen(microphone, len(source) / SAMPLE_RATE_HZ + 1.5)
        assert player.wait(10) == 0
        assert microphone.state == "live"
        assert (microphone.reconnects, microphone.overflows) == (0, 0)
    correlation, _ = best_correlation(join(blocks), source)
    assert correlation > 0.98
    assert not any(b.gap for b in blocks)
    assert np.median([len(b.samples) for b in blocks]) == 160


def test_the_clock_of_the_blocks_is_the_clock_of_the_wall(pulse: PulseServer, speech: Path) -> None:
    with Microphone("test_mic") as microphone:
        listen(microphone, 0.5)
        blocks = listen(microphone, 3.0)
        now_s = time.monotonic()
    counted_s = sum(len(b.samples) for b in blocks[1:]) / SAMPLE_RATE_HZ
    assert counted_s == pytest.approx(blocks[-1].captured_s - blocks[0].captured_s, abs=0.06)
    assert 0 <= now_s - blocks[-1].captured_s < 0.5


@both_rates
def test_a_device_that_refuses_16_khz_is_resampled(
    pulse: PulseServer, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # PulseAudio takes every rate, so the refusal is ours; all else is the device.
    monkeypatch.setattr(Capture, "_ways", lambda self: [(pulse.rate_hz, 2, "int16")])
    source = read_audio(speech)
    with Microphone("test_mic") as microphone:
        assert microphone._capture is not None
        assert microphone._capture.rate_hz == pulse.rate_hz
        player = pulse.play(speech)
        blocks = listen(microphone, len(source) / SAMPLE_RATE_HZ + 1.5)
        assert player.wait(10) == 0
    correlation, _ = best_correlation(join(blocks), source)
    assert correlation > 0.98


def test_unplugged_is_silence_and_plugged_in_again_is_sound(speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = read_audio(speech)
    with pulse_server(loudspeaker=False) as pulse, heard_by(pulse, monkeypatch), Microphone("test_mic") as microphone:
        started_s = time.monotonic()
        blocks = listen(microphone, 1.0)
        pulse.unplug()
        blocks += listen_until(microphone, "lost", 15.0)
        silence = listen(microphone, 2.0)
        assert microphone.state == "lost"
        assert not join(silence).any()
        assert len(join(silence)) == pytest.approx(2.0 * SAMPLE_RATE_HZ, rel=0.15)
        pulse.plug()
        back = listen_until(microphone, "live", 15.0)
        player = pulse.play(speech)
        after = listen(microphone, len(source) / SAMPLE_RATE_HZ + 1.5)
        assert player.wait(10) == 0
        assert microphone.reconnects == 1
        blocks += silence + back + after
    assert len(join(blocks)) / SAMPLE_RATE_HZ == pytest.approx(blocks[-1].captured_s - started_s, abs=0.3)
    correlation, _ = best_correlation(join(after), source)
    assert correlation > 0.98


def test_a_sound_server_that_crashes_and_comes_back(speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = read_audio(speech)
    with pulse_server() as pulse, heard_by(pulse, monkeypatch), Microphone("test_mic") as microphone:
        listen(microphone, 0.5)
        pulse.crash()
        listen_until(microphone, "lost", 15.0)
        assert not join(listen(microphone, 1.0)).any()
        pulse.start()
        listen_until(microphone, "live", 15.0)
        player = pulse.play(speech)
        heard = listen(microphone, len(source) / SAMPLE_RATE_HZ + 1.5)
        assert player.wait(10) == 0
        assert microphone.reconnects == 1
    correlation, _ = best_correlation(join(heard), source)
    assert correlation > 0.98


def listen_until(microphone: Microphone, state: str, timeout_s: float) -> list[AudioBlock]:
    blocks = []
    end_s = time.monotonic() + timeout_s
    while microphone.state != state:
        assert time.monotonic() < end_s, f"still {microphone.state}"
        block = microphone.read(0.2)
        if block is not None:
            blocks.append(block)
    return blocks


def test_nothing_but_zeros_is_called_silent(pulse: PulseServer) -> None:
    with Microphone() as microphone:
        assert microphone.state == "live"
        blocks = listen_until(microphone, "silent", 10.0)
        assert not join(blocks).any()
        assert microphone.read(1.0) is not None


def test_choosing(pulse: PulseServer, capfd: pytest.CaptureFixture[str]) -> None:
    names = {d.name: d for d in portaudio.inputs()}
    assert "test_mic" in names
    assert portaudio.choose_input("Test").name == "test_mic"
    assert portaudio.choose_input(names["test_mic"].index).name == "test_mic"
    assert portaudio.choose_input(str(names["test_mic"].index)).name == "test_mic"
    assert portaudio.choose_input(None).is_default
    with pytest.raises(DeviceError, match=r"no microphone 'Blue Yeti'.*test_mic"):
        Microphone("Blue Yeti")
    with pytest.raises(DeviceError, match=r"Several microphones fit 'l': .*pulse.*lsp_out"):
        portaudio.choose_input("l")
    with pytest.raises(DeviceError, match="no microphone '99'"):
        portaudio.choose_input(99)
    pulse.unplug()
    with pytest.raises(DeviceError, match="cannot be opened"):
        Microphone("test_mic")
    assert capfd.readouterr().err == ""


def test_closing_twice_and_reading_afterwards(pulse: PulseServer) -> None:
    microphone = Microphone("test_mic")
    assert microphone.read(1.0) is not None
    microphone.close()
    microphone.close()
    assert microphone.read(0.1) is None
    assert microphone.state == "ended"
    assert portaudio.restart()

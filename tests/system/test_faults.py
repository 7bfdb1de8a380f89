"""What may happen to a meeting, done to a daemon on air: what the meeting sees and hears meanwhile, and afterwards.

The whole table is docs/faults.md; `pytest -s` prints the times in it.
"""

from __future__ import annotations

import re
import signal
import socket
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .. import needs
from ..sketch import sketch_of
from .onair import OnAir, on_air, says
from .pulse import PulseServer, pulse_server

RATE = 16_000
TONE_HZ = 440

pytestmark = [pytest.mark.system, needs.pulse_audio]


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of 440 Hz."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((8000 * np.sin(2 * np.pi * TONE_HZ * np.arange(30 * RATE) / RATE)).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with pulse_server(loudspeaker=False) as server:
        yield server


@pytest.fixture(scope="module")
def air(
    pulse: PulseServer, tone: Path, reference_bundle: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OnAir]:
    """A daemon that shows `sketch` at 15 fps and hears the tone without end."""
    home = tmp_path_factory.mktemp("home")
    for name in ("sketch", "double"):
        sketch_of(reference_bundle(), home / "subjects" / name, name)
    sketch_of(reference_bundle(), home / "subjects/fragile", "fragile", fragile=True)
    with pulse.talking(tone), on_air(pulse, home, "--subject", "sketch", "--fps", "15") as air:
        air.speech_is_heard()
        yield air
        assert air.told()["state"] == "running", "it survived all of that"


def figure(fault: str, seconds: float) -> None:
    print(f"\n{fault}: back after {seconds:.1f} s")


def pitch_hz(heard: Any) -> float:
    """The loudest frequency."""
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    return float(np.fft.rfftfreq(len(heard), 1 / RATE)[spectrum.argmax()])


def test_the_microphone_unplugged(air: OnAir, pulse: PulseServer) -> None:
    pulse.unplug()
    try:
        # The server may hand the daemon's recording LSP Mic instead, which is then muted: zeros.
        air.until(lambda told: told["microphone"]["state"] in ("lost", "silent"))
        air.goes_on()
        air.silence_is_heard()
        air.until(lambda told: says(told, "The microphone 'test_mic'"))
    finally:
        pulse.plug()
    began_s = time.monotonic()
    air.until(lambda told: told["microphone"]["state"] == "live")
    air.speech_is_heard()
    figure("microphone plugged in again", time.monotonic() - began_s)


def test_the_microphone_muted(air: OnAir, pulse: PulseServer) -> None:
    pulse.pactl("set-source-mute", "test_mic", "1")
    try:
        air.until(lambda told: told["microphone"]["state"] == "silent" and says(told, "Is it muted?"))
        air.goes_on()
        air.silence_is_heard()
    finally:
        pulse.pactl("set-source-mute", "test_mic", "0")
    figure("microphone no longer muted", air.speech_is_heard())
    air.until(lambda told: not says(told, "Is it muted?"))


def test_the_microphone_at_another_rate(air: OnAir, pulse: PulseServer) -> None:
    pulse.unplug()
    pulse.plug(rate_hz=44_100)
    began_s = time.monotonic()
    air.until(lambda told: told["microphone"]["state"] == "live" and told["microphone"]["level_dbfs"] > -40)
    air.speech_is_heard()
    figure("microphone that came back at 44.1 kHz", time.monotonic() - began_s)
    assert pitch_hz(air.heard(2.0)) == pytest.approx(TONE_HZ, abs=6), "neither higher nor lower"
    air.goes_on()


def test_the_microphone_switched_for_another(air: OnAir, pulse: PulseServer) -> None:
    before = air.told()["microphone"]
    air.post("/api/microphone", {"device": "sample"})
    air.until(lambda told: told["microphone"]["name"] != before["name"])
    air.goes_on()
    air.post("/api/microphone", {"device": "test_mic"})
    figure("microphone switched", air.speech_is_heard())
    assert air.told()["microphone"]["state"] == "live"


def test_a_latency_that_jumps(air: OnAir, pulse: PulseServer) -> None:
    """As when a headset renews its radio link: the microphone stands still, then everything comes later."""
    pulse.pactl("suspend-source", "test_mic", "1")
    time.sleep(0.4)
    pulse.pactl("suspend-source", "test_mic", "0")
    air.until(lambda told: told["microphone"]["level_dbfs"] > -40)
    air.speech_is_heard()
    assert air.told()["voice"]["state"] == "live"
    seconds = air.until(lambda told: abs(told["voice"]["offset_p50_ms"]) < 20)
    figure("after the jump, lips and voice within 20 ms", seconds)
    air.goes_on()


def test_suspended_and_resumed(air: OnAir) -> None:
    before = air.told()
    air.signal(signal.SIGSTOP)
    time.sleep(5)
    air.signal(signal.SIGCONT)
    began_s = time.monotonic()
    air.goes_on()
    air.until(lambda told: told["microphone"]["level_dbfs"] > -40 and told["voice"]["state"] == "live")
    air.speech_is_heard()
    figure("resumed", time.monotonic() - began_s)
    after = air.told()
    assert after["pid"] == before["pid"]
    late_ms = after["latency"]["measured_p50_ms"] - before["latency"]["measured_p50_ms"]
    assert late_ms < 1000, "the sleep is not made up for: nothing of the 5 s is shown late"


def test_a_renderer_that_fails(air: OnAir) -> None:
    air.post("/api/switch", {"subject": "fragile"})
    air.post("/api/pose", {"mode": "fixed", "x": 1000.0})  # out of the picture: a map without a line
    air.until(lambda told: told["renderer_problem"])
    told = air.told()
    assert says(told, "The portrait rests until its renderer works again.")
    air.goes_on()
    air.speech_is_heard()
    air.post("/api/pose", {"mode": "fixed"})
    figure("renderer works again", air.until(lambda told: not told["renderer_problem"]))
    shown = air.told()["frames"]
    air.until(lambda told: told["frames"]["sent"] - told["frames"]["repeated"] > shown["sent"] - shown["repeated"] + 5)
    air.post("/api/switch", {"subject": "sketch"})


def test_ten_switches_of_the_subject(air: OnAir) -> None:
    began_s = time.monotonic()
    longest_s = 0.0
    for turn in range(10):
        sent, at_s = air.told()["frames"]["sent"], time.monotonic()
        name = ("double", "sketch")[turn % 2]
        assert air.post("/api/switch", {"subject": name}) == {"subject": name}
        longest_s = max(longest_s, time.monotonic() - at_s)
        assert air.told()["frames"]["sent"] > sent, "the one on air goes on meanwhile"
    figure(f"ten switches in {time.monotonic() - began_s:.0f} s, the slowest", longest_s)
    assert air.told()["voice"]["state"] == "live"
    air.speech_is_heard()


def test_a_reader_that_stops_reading(air: OnAir, pulse: PulseServer, tmp_path: Path) -> None:
    """A browser tab that hangs with the preview open, and a meeting that hangs with LSP Mic open."""
    contact = air.runtime.contact()
    assert contact is not None
    recorder = pulse.record(tmp_path / "hangs.wav", "lsp_cam_mic")
    with socket.create_connection(("127.0.0.1", contact.port)) as hung:
        hung.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host = f"Host: 127.0.0.1:{contact.port}"
        hung.sendall(f"GET /live HTTP/1.1\r\n{host}\r\nAuthorization: Bearer {contact.token}\r\n\r\n".encode())
        assert re.match(rb"HTTP/1.1 200", hung.recv(12))
        recorder.send_signal(signal.SIGSTOP)
        air.until(lambda told: told["watchers"] == 1)
        air.goes_on(60)
        air.speech_is_heard()
        assert air.told()["voice"]["state"] == "live"
    recorder.kill()
    recorder.wait()
    figure("preview closed", air.until(lambda told: told["watchers"] == 0))


def test_the_sound_server_restarted(air: OnAir, pulse: PulseServer) -> None:
    pulse.crash()
    air.until(lambda told: told["microphone"]["state"] == "lost" and told["voice"]["state"] == "lost")
    air.goes_on()
    pulse.start()
    began_s = time.monotonic()
    air.until(lambda told: told["microphone"]["state"] == "live" and told["voice"]["state"] == "live")
    air.speech_is_heard()
    figure("sound server restarted", time.monotonic() - began_s)

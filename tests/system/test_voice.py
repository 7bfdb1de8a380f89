"""LSP Mic, for real: what is spoken into a microphone comes out of it when its picture leaves for the camera."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pasimple
import pytest
from scipy.ndimage import uniform_filter1d
from scipy.signal import correlate

from ..sketch import sketch_of
from . import pulse as pulse_audio
from .pulse import PulseServer, pulse_server

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
RATE = 16_000
SECONDS = 12
BLOCK = 160

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not pulse_audio.available(), reason="PulseAudio is not installed"),
]


class Ear(threading.Thread):
    """Hears a source of the server and knows when each sample was heard."""

    def __init__(self, pulse: PulseServer, source: str) -> None:
        super().__init__(daemon=True)
        self._stream = pasimple.PaSimple(
            pasimple.PA_STREAM_RECORD, pasimple.PA_SAMPLE_S16LE, 1, RATE, "ear",
            server_name=f"unix:{pulse.folder}/native", device_name=source, fragsize=2 * BLOCK,
        )  # fmt: skip
        self._blocks: list[bytes] = []
        self._begun_s: list[float] = []
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            self._blocks.append(self._stream.read(2 * BLOCK))
            heard_s = time.monotonic() - self._stream.get_latency() / 1e6
            self._begun_s.append(heard_s - len(self._blocks) * BLOCK / RATE)

    def finish(self) -> tuple[float, Any]:
        """When the first sample was heard (monotonic), and all samples."""
        self._over.set()
        self.join(5)
        self._stream.close()
        samples = np.frombuffer(b"".join(self._blocks), "<i2").astype(np.float32)
        return float(np.median(self._begun_s)), samples


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with pulse_server() as server:
        yield server


@pytest.fixture(scope="module")
def babble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise whose loudness is never the same twice."""
    rng = np.random.default_rng(0)
    loudness = np.repeat(rng.uniform(0, 0.4, SECONDS * 20), RATE // 20)
    samples = rng.uniform(-1, 1, len(loudness)) * loudness
    path = tmp_path_factory.mktemp("babble") / "babble.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture
def cam(pulse: PulseServer, reference_bundle: Any, tmp_path: Path) -> Iterator[Any]:
    """A function that runs lsp-cam; the daemon hears the null sink's microphone and makes LSP Mic."""
    sketch_of(reference_bundle(), tmp_path / "home" / "subjects" / "sketch")
    environ = {**pulse.environ, "LSP_CAM_HOME": str(tmp_path / "home"), "LSP_CAM_RUNTIME": str(tmp_path / "run")}

    def run(*words: str) -> str:
        done = subprocess.run([*ENTRY, *words], env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    words = ("--subject", "sketch", "--mic", "test_mic", "--camera", "none", "--fps", "15", "--mic-out", "on")
    run("start", *words)
    try:
        yield run
    finally:
        run("stop")
        shutil.rmtree(tmp_path / "home")


def loudness(samples: Any) -> Any:
    """How loud it is around each sample. What was read a little faster or slower has lost its phase, but not this."""
    swell = uniform_filter1d(np.abs(samples), RATE // 100)
    return swell - swell.mean()


def lag_s(spoken: tuple[float, Any], heard: tuple[float, Any]) -> float:
    """How much later what was `spoken` was `heard`; each is a start time and samples."""
    first, second = loudness(spoken[1]), loudness(heard[1])
    match = correlate(second, first, method="fft")
    assert match.max() > 0.7 * np.linalg.norm(first) * np.linalg.norm(second), "it is not the same sound"
    return heard[0] - spoken[0] + float(int(match.argmax()) - (len(first) - 1)) / RATE


def await_microphone(pulse: PulseServer) -> None:
    deadline_s = time.monotonic() + 20
    while "Description: LSP Mic\n" not in pulse.pactl("list", "sources"):
        assert time.monotonic() < deadline_s, "there is no LSP Mic"
        time.sleep(0.2)


def test_the_voice_leaves_with_its_picture(pulse: PulseServer, cam: Any, babble: Path) -> None:
    await_microphone(pulse)
    assert pulse.pactl("get-default-source") == "test_mic", "nobody is made to speak through it"
    player = pulse.play(babble)
    time.sleep(2)
    ears = [Ear(pulse, name) for name in ("test_mic", "lsp_cam_mic")]
    for ear in ears:
        ear.start()
    player.wait(30)
    told = json.loads(cam("status", "--json"))
    spoken, heard = (ear.finish() for ear in ears)
    assert told["voice"]["state"] == "live"
    assert lag_s(spoken, heard) == pytest.approx(told["latency"]["measured_p50_ms"] / 1000, abs=0.04)
    cam("mute")
    time.sleep(1.0)
    ear = Ear(pulse, "lsp_cam_mic")
    player = pulse.play(babble)
    ear.start()
    time.sleep(2)
    player.terminate()
    player.wait()
    assert not ear.finish()[1].any(), "muted, the voice is silent too"


def test_it_goes_with_the_daemon_and_comes_back_with_the_server(pulse: PulseServer, cam: Any) -> None:
    pulse.crash()
    time.sleep(1)
    pulse.start()
    await_microphone(pulse)
    cam("stop")
    assert "LSP Mic" not in pulse.pactl("list", "sources")
    assert "lsp_cam" not in pulse.pactl("list", "short", "modules")

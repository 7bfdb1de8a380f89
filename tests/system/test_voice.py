"""LSP Mic, for real: what is spoken into a microphone comes out of it when its picture leaves for the camera."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .. import needs
from ..sketch import sketch_of
from .ears import Ear, Samples, lag_s
from .ears import babble as babble_file
from .pipewire import speaking_pulse
from .pulse import PulseServer, pulse_server

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
SECONDS = 12
WITHIN_S = 0.04
IN_STEP_S = 90.0  # where the pictures' delay has changed, the voice follows by running a little faster or slower

pytestmark = [pytest.mark.system, needs.pulse_audio]


SERVERS = {"PulseAudio": pulse_server, "PipeWire": speaking_pulse}


@pytest.fixture
def pulse(request: pytest.FixtureRequest) -> Iterator[PulseServer]:
    with SERVERS[getattr(request, "param", "PulseAudio")]() as server:
        yield server


@pytest.fixture(scope="module")
def babble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return babble_file(tmp_path_factory.mktemp("babble") / "babble.wav", SECONDS)


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


def rms(samples: Samples) -> float:
    """Root mean square of samples (N,)."""
    return float(np.sqrt(np.mean(np.square(samples))))


def await_microphone(pulse: PulseServer) -> None:
    deadline_s = time.monotonic() + 120
    while "Description: LSP Mic\n" not in pulse.pactl("list", "sources"):
        assert time.monotonic() < deadline_s, "there is no LSP Mic"
        time.sleep(0.2)


def measured(pulse: PulseServer, cam: Any, babble: Path) -> tuple[float, float]:
    """How late the voice is in LSP Mic, and the picture, in seconds."""
    player = pulse.play(babble)
    time.sleep(2)
    ears = [Ear(pulse, name) for name in ("test_mic", "lsp_cam_mic")]
    for ear in ears:
        ear.start()
    player.wait(30)
    told = json.loads(cam("status", "--json"))
    spoken, heard = (ear.finish().all() for ear in ears)
    assert told["voice"]["state"] == "live"
    lag = lag_s(spoken, heard)
    assert lag is not None, "it is not the same sound"
    assert rms(heard[1]) == pytest.approx(rms(spoken[1]), rel=0.1), "as loud"
    return lag, told["latency"]["measured_p50_ms"] / 1000


@pytest.mark.parametrize("pulse", [pytest.param(name, marks=needs.pipewire) for name in SERVERS], indirect=True)
def test_the_voice_leaves_with_its_picture(pulse: PulseServer, cam: Any, babble: Path) -> None:
    await_microphone(pulse)
    assert pulse.pactl("get-default-source") == "test_mic", "nobody is made to speak through it"
    deadline_s = time.monotonic() + IN_STEP_S
    in_step = 0
    while in_step < 2:  # once there, it stays there
        lag, picture_delay_s = measured(pulse, cam, babble)
        in_step = in_step + 1 if abs(lag - picture_delay_s) < WITHIN_S else 0
        assert time.monotonic() < deadline_s, f"the voice is {lag:.3f} s late, its picture {picture_delay_s:.3f}"
    cam("mute")
    time.sleep(1.0)
    ear = Ear(pulse, "lsp_cam_mic")
    player = pulse.play(babble)
    ear.start()
    time.sleep(2)
    player.terminate()
    player.wait()
    assert not ear.finish().all()[1].any(), "muted, the voice is silent too"


def test_it_goes_with_the_daemon_and_comes_back_with_the_server(pulse: PulseServer, cam: Any) -> None:
    pulse.crash()
    time.sleep(1)
    pulse.start()
    await_microphone(pulse)
    cam("stop")
    assert "LSP Mic" not in pulse.pactl("list", "sources")
    assert "lsp_cam" not in pulse.pactl("list", "short", "modules")

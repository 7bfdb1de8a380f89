"""A daemon on air between a private PulseAudio, into which somebody speaks, and a meeting that takes what comes out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lsp_cam.daemon.client import connect
from lsp_cam.daemon.runtime import Runtime
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import DaemonError
from lsp_cam.packets import Float32

from .pulse import PulseServer

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
LONG_S = 60.0
"""How long a test waits for what takes seconds, on a machine that is busy with other things."""


@dataclass
class OnAir:
    """Who speaks into `pulse` is heard; `home` is the daemon's."""

    pulse: PulseServer
    home: Path

    @property
    def runtime(self) -> Runtime:
        return Runtime(self.home / "run")

    def told(self) -> dict[str, Any]:
        """The daemon's status; it may be too busy to answer at once."""
        deadline_s = time.monotonic() + LONG_S
        while True:
            try:
                with connect(self.runtime) as client:
                    told: dict[str, Any] = client.get("/api/status")
                return told
            except DaemonError:
                assert time.monotonic() < deadline_s, "the daemon does not answer"
                time.sleep(0.2)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the daemon for something."""
        with connect(self.runtime) as client:
            return client.post(path, body, timeout_s=LONG_S)

    def signal(self, number: signal.Signals) -> None:
        """Signal the daemon and all that it has started."""
        record = self.runtime.record()
        assert record is not None
        os.killpg(record.pid, number)

    def until(self, condition: Callable[[dict[str, Any]], object]) -> float:
        """Wait for it; gives how many seconds that took."""
        began_s = time.monotonic()
        while not condition(told := self.told()):
            assert time.monotonic() < began_s + LONG_S, f"it did not happen; the daemon says {told}"
            time.sleep(0.1)
        return time.monotonic() - began_s

    def goes_on(self, pictures: int = 15) -> None:
        """The meeting's camera gets pictures."""
        before = self.told()["frames"]["sent"]
        self.until(lambda told: told["frames"]["sent"] >= before + pictures)

    def heard(self, seconds: float = 1.0) -> Float32:
        """What the meeting hears from LSP Mic for so long."""
        path = self.home / "heard.wav"
        path.unlink(missing_ok=True)
        recorder = self.pulse.record(path, "lsp_cam_mic")
        deadline_s = time.monotonic() + LONG_S
        while not path.exists() or path.stat().st_size < 2 * 16_000 * seconds:
            assert time.monotonic() < deadline_s, "there is nothing to hear at LSP Mic"
            time.sleep(0.1)
        recorder.terminate()
        recorder.wait()
        return read_audio(path)

    def silence_is_heard(self) -> None:
        """Wait until the meeting hears nothing at all; an echo would not end."""
        deadline_s = time.monotonic() + LONG_S
        while self.heard().any():
            assert time.monotonic() < deadline_s, "the meeting hears something"

    def speech_is_heard(self) -> float:
        """Wait until the meeting hears speech; gives the seconds that took."""
        began_s = time.monotonic()
        while np.abs(self.heard()).max() < 0.05:
            assert time.monotonic() < began_s + LONG_S, "the meeting hears nothing"
        return time.monotonic() - began_s


def says(told: dict[str, Any], words: str) -> bool:
    """Whether a warning of the daemon has these words."""
    return any(words in warning for warning in told["warnings"])


@contextmanager
def on_air(pulse: PulseServer, home: Path, *words: str) -> Iterator[OnAir]:
    """The daemon in `home`, which has its subjects; `words` say how it starts."""
    environ = {**pulse.environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")}
    start = ["start", "--mic", "test_mic", "--mic-out", "on", "--camera", "none", *words]
    done = subprocess.run([*ENTRY, *start], env=environ, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    try:
        yield OnAir(pulse, home)
    finally:
        subprocess.run([*ENTRY, "stop"], env=environ, check=True, capture_output=True, timeout=120)

"""A home of its own for each daemon that a test starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.daemon.client import connect
from lsp_cam.daemon.runtime import Runtime

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
SHOWN = ("--subject", "fixture", "--mic", str(sample_speech()), "--fps", "5")


@dataclass(frozen=True)
class Cam:
    """`lsp-cam` in a home of its own."""

    home: Path
    environ: dict[str, str]

    def run(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run([*ENTRY, *words], env=self.environ, capture_output=True, text=True, timeout=timeout_s)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Run a command beside the test."""
        return subprocess.Popen(
            [*ENTRY, *words], env=self.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def start(self, *words: str) -> str:
        """Start a detached daemon; gives what the command printed."""
        done = self.run("start", *SHOWN, *(words or ("--camera", "none")))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        """What the daemon tells of itself."""
        with connect(Runtime(self.runtime)) as client:
            told: dict[str, Any] = client.get("/api/status")
        return told

    @property
    def runtime(self) -> Path:
        return self.home / "run"

    @property
    def record(self) -> dict[str, Any]:
        """What the last daemon wrote down."""
        told: dict[str, Any] = json.loads((self.runtime / "last.json").read_text())
        return told

    def is_clean(self) -> bool:
        """Whether no daemon runs and none has left anything behind."""
        return not (self.runtime / "daemon.json").exists() and not Runtime(self.runtime).is_running()


@pytest.fixture(scope="session")
def subjects(reference_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of subjects: the reference one twice, under two names."""
    folder = tmp_path_factory.mktemp("subjects")
    shutil.copytree(reference_bundle().root, folder / "fixture")
    shutil.copytree(reference_bundle().root, folder / "double")
    manifest = json.loads((folder / "double/manifest.json").read_text())
    (folder / "double/manifest.json").write_text(json.dumps({**manifest, "name": "double"}))
    return folder


@pytest.fixture
def cam(subjects: Path, tmp_path: Path) -> Iterator[Cam]:
    """A home with these subjects; a daemon that the test leaves behind is ended."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "subjects").symlink_to(subjects)
    environ = {**os.environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run"), "COLUMNS": "200"}
    cam = Cam(home, environ)
    try:
        yield cam
    finally:
        record = Runtime(cam.runtime).record()
        if record and record.state in ("starting", "running", "stopping"):
            end(record.pid)


def end(pid: int) -> None:
    """Kill a daemon that a test started, if it still lives."""
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
        deadline_s = time.monotonic() + 10
        while alive(pid) and time.monotonic() < deadline_s:
            time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether it is one of our daemons, and has not ended (a zombie has)."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return "lsp_cam" in command and state != "Z"

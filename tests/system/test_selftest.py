"""`lsp-cam selftest` with a sound server: the click is heard in LSP Mic, the flash seen in the preview."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import needs
from .pulse import PulseServer, pulse_server

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]

pytestmark = [pytest.mark.system, needs.pulse_audio]


def selftest(environ: dict[str, str], home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ENTRY, "selftest", *words], env={**environ, "LSP_CAM_HOME": str(home)},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with pulse_server() as server:
        yield server


def test_a_click_and_a_flash_come_back_together(pulse: PulseServer, tmp_path: Path) -> None:
    done = selftest(pulse.environ, tmp_path, "--seconds", "6", "--size", "320x240", "--fps", "15", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["ok"]
    assert found["read_back"] == "the preview"
    assert "the preview is read back" in found["notices"][0]
    assert found["voice"] == "LSP Mic (sound server)"
    # A busy machine may be late, but a voice that kept no time at all would be half a second off.
    assert abs(found["offset_ms"]) < 250
    assert found["delay_ms"][0] >= 0
    assert found["fps"] > 0
    assert "LSP Mic" not in pulse.pactl("list", "sources")


def test_without_a_virtual_microphone_the_picture_alone_is_tested(pulse: PulseServer, tmp_path: Path) -> None:
    deaf = {**pulse.environ, "PULSE_SERVER": "unix:/nowhere"}
    done = selftest(deaf, tmp_path, "--seconds", "3", "--size", "320x240", "--camera", "preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the picture alone is tested" in done.stdout
    assert "flashes seen" in done.stdout


def test_it_wants_the_devices_for_itself(tmp_path: Path) -> None:
    import os

    from lsp_cam.daemon.runtime import Runtime

    runtime = Runtime(tmp_path / "state/run")
    runtime.acquire()
    try:
        done = selftest(dict(os.environ), tmp_path)
    finally:
        runtime.release()
    assert done.returncode == 1
    assert "lsp-cam stop" in done.stderr

"""`--camera pipewire`, for real: other programs of PipeWire's see the camera LSP Cam and take its pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_cam.devices.pipewirecam import NODE
from tests import needs
from tests.sketch import sketch_of

from .pipewire import nodes, pipewire

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
WIDTH, HEIGHT, FRAMES = 256, 192, 12
PATIENCE_S = 90.0

pytestmark = [pytest.mark.system, needs.pipewire]


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    with pipewire() as found:
        yield found


def run(environ: dict[str, str], home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    mine = {**environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")}
    return subprocess.run([*ENTRY, *words], env=mine, capture_output=True, text=True, timeout=180)


def until(true: Callable[[], bool], otherwise: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s, otherwise
        time.sleep(0.2)


def read(environ: dict[str, str], count: int) -> Any:
    """Some pictures as another program gets them: (count, HEIGHT, WIDTH) brightness."""
    caps = f"video/x-raw,format=YUY2,width={WIDTH},height={HEIGHT}"
    source = ["pipewiresrc", f"target-object={NODE}", f"num-buffers={count}"]
    command = ["gst-launch-1.0", "-q", *source, "!", caps, "!", "fdsink", "fd=1"]
    done = subprocess.run(command, env=environ, capture_output=True, timeout=PATIENCE_S)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH, 2)[..., 0]


def test_the_portrait_is_in_pipewires_camera(environ: dict[str, str], reference_bundle: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    sketch_of(reference_bundle(), home / "subjects" / "sketch")
    options = ("--camera", "pipewire", "--mic-out", "none", "--fps", "10", "--size", f"{WIDTH}x{HEIGHT}")
    begun = run(environ, home, "start", "--subject", "sketch", *options)
    assert begun.returncode == 0, begun.stdout + begun.stderr
    try:
        until(lambda: NODE in nodes(environ), "there is no camera")
        told = nodes(environ)
        assert 'node.description = "LSP Cam"' in told
        assert 'media.role = "Camera"' in told
        for _ in range(2):  # a second reader after the first has gone
            deadline_s = time.monotonic() + PATIENCE_S
            while True:
                seen = read(environ, FRAMES)
                assert len(seen) == FRAMES
                assert seen.std() > 5, "a portrait is no plain picture"
                if np.abs(np.diff(seen.astype(int), axis=0)).max() > 10:
                    break
                assert time.monotonic() < deadline_s, "it does not move"
        assert json.loads(run(environ, home, "status", "--json").stdout)["camera"]["state"] == "live"
    finally:
        run(environ, home, "stop")
    until(lambda: NODE not in nodes(environ), "the camera goes with the daemon")


def test_what_is_sent_comes_back(environ: dict[str, str], tmp_path: Path) -> None:
    words = ("--camera", "pipewire", "--no-mic-out", "--seconds", "4", "--size", f"{WIDTH}x{HEIGHT}", "--fps", "10")
    done = run(environ, tmp_path, "selftest", *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["read_back"] == "PipeWire"
    assert found["flashes"] > 0


def test_without_pipewire_it_says_so(tmp_path: Path) -> None:
    nowhere = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = run(nowhere, tmp_path, "selftest", "--camera", "pipewire", "--no-mic-out")
    assert done.returncode == 1
    assert "PipeWire does not run" in done.stderr

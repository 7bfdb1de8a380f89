"""`lsp-cam call` over standard input and output: two programs, joined by pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.call.framed import MARK
from lsp_cam.store import Store

from .distance import sketched
from .hosts import ROOT
from .test_peer import until

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]


@pytest.mark.timeout(600)
def test_two_programs_joined_by_pipes(tmp_path: Path) -> None:
    sketched(Store().get("demo"), tmp_path)
    there, back = os.pipe(), os.pipe()
    sides: list[subprocess.Popen[Any]] = []
    said = [tmp_path / "one", tmp_path / "other"]
    for words, reader, writer, file in (
        (("dial", "stdio"), back[0], there[1], said[0]),
        (("listen", "--via", "stdio"), there[0], back[1], said[1]),
    ):
        home = tmp_path / f"home-{file.name}"
        home.mkdir()
        (home / "subjects").symlink_to(tmp_path / "subjects")
        environ = {**os.environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")}
        options = ["--subject", "sketch", "--camera", "none", "--speaker", "none", "--mic", str(sample_speech())]
        with file.open("wb") as out:
            command = [*ENTRY, "call", *words, *options]
            sides.append(subprocess.Popen(command, stdin=reader, stdout=writer, stderr=out, env=environ, cwd=ROOT))
    for end in (*there, *back):
        os.close(end)
    try:
        until(lambda: all("On air: sketch" in file.read_text() for file in said), 240)
        sides[0].send_signal(signal.SIGINT)
        assert [side.wait(120) for side in sides] == [0, 0]
    finally:
        for side in sides:
            side.kill()
            side.wait()
    for file in said:
        assert "Connected (standard input and output)" in file.read_text()
        assert "The call is over." in file.read_text()
        assert "Traceback" not in file.read_text()


def test_only_the_line_gets_what_is_sent_and_nobody_there_is_told(tmp_path: Path) -> None:
    """The other side's program ends at once: ours says so, with an exit code, and prints nothing into the line."""
    sketched(Store().get("demo"), tmp_path)
    environ = {**os.environ, "LSP_CAM_HOME": str(tmp_path), "LSP_CAM_RUNTIME": str(tmp_path / "run")}
    options = ["--subject", "sketch", "--camera", "none", "--speaker", "none", "--mic", str(sample_speech())]
    options += ["--send", "sketch"]
    done = subprocess.run(
        [*ENTRY, "call", "dial", "stdio", *options], input=b"", capture_output=True, env=environ, cwd=ROOT, timeout=200
    )
    assert done.returncode != 0
    assert b"The line ended before anybody was there" in done.stderr
    assert b"Making the compact form of 'sketch'" in done.stderr
    assert done.stdout == b"" or done.stdout.startswith(MARK)
    assert b"Traceback" not in done.stderr

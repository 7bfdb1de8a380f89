"""The daemon's log, in a process of its own: it takes that process's output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lsp_cam.daemon.log import BACKUPS, MAX_BYTES

CHATTY = """
import logging, os, time
from lsp_cam.daemon.log import log_output, open_log
open_log()
log_output()
os.write(2, b"a library complains\\n")
print("a program prints", flush=True)
time.sleep(0.3)
for _ in range(8000):
    logging.getLogger("test").error("x" * 1000)
"""


def run(home: Path, *prefix: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "LSP_CAM_HOME": str(home)}
    command = [*prefix, sys.executable, "-c", CHATTY]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_it_is_rotated(tmp_path: Path):
    assert run(tmp_path).returncode == 0
    files = sorted((tmp_path / "state/log").iterdir())
    assert [f.name for f in files] == ["daemon.log", *(f"daemon.log.{n + 1}" for n in range(BACKUPS))]
    assert all(f.stat().st_size <= MAX_BYTES for f in files)


def test_it_takes_what_libraries_print(tmp_path: Path):
    script = CHATTY.replace("range(8000)", "range(1)")
    environ = {**os.environ, "LSP_CAM_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, timeout=60)
    log = (tmp_path / "state/log/daemon.log").read_text()
    assert "a library complains" in log
    assert "a program prints" in log
    assert done.stdout == done.stderr == ""


def test_a_disk_that_is_full_ends_nobody(tmp_path: Path):
    done = run(tmp_path, "bash", "-c", 'ulimit -f 50; exec "$@"', "-")
    assert done.returncode == 0
    assert (tmp_path / "state/log/daemon.log").stat().st_size <= 50 * 1024

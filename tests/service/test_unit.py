"""The systemd unit: what systemd itself says of it, paths that have everything in them, and what shuts it in."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_cam import folders
from lsp_cam.daemon.runtime import RUNTIME_VARIABLE
from lsp_cam.errors import UsageError
from lsp_cam.service.unit import PLACES, program, quoted, unit, written_folders

ODD = "a b%h $HOME ü"
ODDER = ODD + " \"c\" 'd' \\"


@pytest.fixture(autouse=True)
def _no_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*PLACES, RUNTIME_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setattr(folders, "checkout", lambda: None)


def verified(text: str, tmp_path: Path) -> str:
    """What systemd's own reader complains of."""
    file = tmp_path / "lsp-cam.service"
    file.write_text(text)
    done = subprocess.run(["systemd-analyze", "--user", "verify", str(file)], capture_output=True, text=True)
    return done.stderr + (f"exit status {done.returncode}" if done.returncode else "")


@pytest.mark.parametrize("confined", [True, False])
def test_systemd_reads_it_whatever_the_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confined: bool) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    installed = folder / "lsp-cam"
    installed.touch(0o755)
    monkeypatch.setenv(folders.HOME_VARIABLE, str(tmp_path / ODDER))
    text = unit(installed, written_folders(), confined=confined)
    assert verified(text, tmp_path) == ""
    # That it looks at what it is given: the same without our quoting is not understood.
    for raw in (str(folder), str(folder).replace("%", "%%").replace("$", "$$")):
        assert verified(text.replace(quoted(str(installed)), f'"{raw}/lsp-cam"'), tmp_path) != ""


def test_paths_that_systemd_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no program with quotes"):
        unit(tmp_path / ODDER / "lsp-cam", [])
    with pytest.raises(UsageError, match="control characters"):
        quoted("/home/a\nExecStart=/bin/sh")


def test_where_it_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folders of `folders.py`, none inside another; the one of the session is systemd's to make."""
    assert written_folders() == [
        tmp_path / ".config/lsp-cam",
        tmp_path / ".local/state/lsp-cam",
        tmp_path / ".local/share/lsp-cam/subjects",
        tmp_path / ".local/share/lsp-cam/engines",
    ]
    assert f'Environment="{RUNTIME_VARIABLE}={tmp_path}/run/lsp-cam"' in unit(program(), written_folders())
    monkeypatch.setenv(folders.HOME_VARIABLE, str(tmp_path / "one"))
    monkeypatch.setenv(RUNTIME_VARIABLE, str(tmp_path / "elsewhere"))
    assert written_folders() == [tmp_path / "one", tmp_path / "elsewhere"]
    text = unit(program(), written_folders())
    assert f'Environment="LSP_CAM_HOME={tmp_path}/one"' in text.splitlines()
    line = next(line for line in text.splitlines() if line.startswith("ReadWritePaths="))
    assert shlex.split(line.partition("=")[2]) == [str(tmp_path / "one"), str(tmp_path / "elsewhere")]


def test_the_program_that_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = tmp_path / "lsp-cam"
    called.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(called)])
    assert program() == called
    monkeypatch.setattr(sys, "argv", ["pytest"])
    assert program() == Path(sys.executable).with_name("lsp-cam")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere/python"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(UsageError, match="pip install"):
        program()


def test_what_needs_a_namespace_can_be_left_out() -> None:
    whole, less = (unit(program(), written_folders(), confined=confined) for confined in (True, False))
    left_out = set(whole.splitlines()) - set(less.splitlines())
    assert {line.partition("=")[0] for line in left_out} == {
        "PrivateUsers", "CapabilityBoundingSet", "ProtectClock", "ProtectKernelLogs", "ProtectKernelModules",
    }  # fmt: skip
    assert "SystemCallFilter=@system-service" in less
    assert not set(less.splitlines()) - set(whole.splitlines())


def test_it_needs_no_more_than_a_stated_exposure(tmp_path: Path) -> None:
    """systemd's own measure: 0 is shut in, 10 is open."""
    (tmp_path / "lsp-cam.service").write_text(unit(program(), written_folders()))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(tmp_path / "lsp-cam.service")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Overall exposure level" in done.stdout

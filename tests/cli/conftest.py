"""A home of its own for every test of a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lsp_cam import folders
from lsp_cam.cli.main import app

Invoke = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `LSP_CAM_HOME`; nothing ships with the program."""
    monkeypatch.setenv(folders.HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setattr(folders, "checkout", lambda: None)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "home"


@pytest.fixture
def invoke(home: Path) -> Invoke:
    """Run a command in this process; nobody sees a traceback, whatever happens."""

    def run(*arguments: str | Path, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
        assert "Traceback" not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run

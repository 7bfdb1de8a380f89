"""`lsp-cam service`: what it asks of systemd, and that nothing is left half done."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import pytest

from lsp_cam.service.manager import MARK
from tests.cli.conftest import Invoke

SYSTEMCTL = """#!/bin/sh
echo "$(basename "$0") $*" >> "{log}"
for word in $(cat "{failing}"); do
  case " $(basename "$0") $* " in *" $word "*) echo "$word: no such luck" >&2; exit 1;; esac
done
case "$*" in *is-enabled*) echo enabled;; *is-active*) cat "{active}";; esac
"""


@dataclass(frozen=True)
class Systemd:
    """A stand-in that writes down what it is asked for and fails at the words in `failing`."""

    folder: Path
    unit: Path

    @property
    def asked(self) -> list[str]:
        """What it was asked for, in order."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def forget(self) -> None:
        """What it was asked for until now."""
        self._log.unlink(missing_ok=True)

    def fail(self, *words: str) -> None:
        (self.folder / "failing").write_text(" ".join(words))

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def left(self) -> list[str]:
        """What lies where units go."""
        return sorted(path.name for path in self.unit.parent.glob("*")) if self.unit.parent.exists() else []


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "failing").touch()
    (folder / "active").write_text("active\n")
    for name in ("systemctl", "systemd-run"):
        program = folder / name
        program.write_text(SYSTEMCTL.format(log=folder / "log", failing=folder / "failing", active=folder / "active"))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config home"))
    return Systemd(folder, tmp_path / "config home/systemd/user/lsp-cam.service")


def test_installed_and_removed(invoke: Invoke, systemd: Systemd, home: Path) -> None:
    assert "There is no lsp-cam service" in invoke("service", "status").output
    result = invoke("service", "install")
    assert result.exit_code == 0, result.output
    assert str(systemd.unit) in result.output
    assert "next login" in result.output
    asked = systemd.asked
    assert asked[0] == "systemctl --user show-environment"
    assert asked[1].startswith("systemd-run --user ")
    assert asked[2:] == ["systemctl --user daemon-reload", "systemctl --user enable lsp-cam.service"]
    text = systemd.unit.read_text()
    assert text.startswith(MARK)
    assert f'ReadWritePaths="{home}"' in text
    assert home.is_dir()  # systemd passes over what is not there, and it would be read-only for good
    told = invoke("service", "status", "--json")
    assert told.exit_code == 0
    assert json.loads(told.output) == {
        "unit": str(systemd.unit), "installed": True, "enabled": "enabled", "active": "active"
    }  # fmt: skip
    systemd.forget()
    assert invoke("service", "remove").output == "Removed.\n"
    assert systemd.asked == [
        "systemctl --user show-environment",
        "systemctl --user disable --now lsp-cam.service",
        "systemctl --user daemon-reload",
    ]
    assert systemd.left == []
    assert "There is no lsp-cam service" in invoke("service", "remove").output


def test_at_once_and_less_shut_in(invoke: Invoke, systemd: Systemd) -> None:
    systemd.fail("systemd-run")
    refused = invoke("service", "install")
    assert refused.exit_code == 1
    assert "lsp-cam service install --unconfined" in refused.output
    assert systemd.left == []
    systemd.forget()
    assert invoke("service", "install", "--unconfined", "--now").exit_code == 0
    assert systemd.asked[-1] == "systemctl --user restart lsp-cam.service"
    assert "PrivateUsers" not in systemd.unit.read_text()
    (systemd.folder / "active").write_text("failed\n")
    status = invoke("service", "status")
    assert status.exit_code == 3
    assert "now failed" in status.output


@pytest.mark.parametrize("word", ["daemon-reload", "enable", "restart"])
@pytest.mark.parametrize("earlier", [True, False], ids=["again", "first"])
def test_what_fails_leaves_everything_as_it_was(invoke: Invoke, systemd: Systemd, word: str, earlier: bool) -> None:
    if earlier:
        assert invoke("service", "install", "--unconfined").exit_code == 0
    before = systemd.unit.read_text() if earlier else None
    systemd.fail(word)
    result = invoke("service", "install", "--now")
    assert result.exit_code == 1
    assert f"{word}: no such luck" in result.output
    assert systemd.left == ([systemd.unit.name] if earlier else [])
    assert (systemd.unit.read_text() if systemd.unit.exists() else None) == before


def test_no_user_manager(invoke: Invoke, systemd: Systemd) -> None:
    systemd.fail("show-environment")
    result = invoke("service", "install")
    assert result.exit_code == 1
    assert "systemd's user manager does not answer (show-environment: no such luck)" in result.output
    assert "not by su or sudo" in result.output
    assert systemd.left == []


def test_no_systemd(invoke: Invoke, systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(systemd.folder / "nothing"))
    result = invoke("service", "install")
    assert result.exit_code == 1
    assert "add `lsp-cam start` to the programs that it starts" in result.output
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "This is for Linux" in invoke("service", "install").output
    assert systemd.left == []


def test_a_unit_of_somebody_else_is_left_alone(invoke: Invoke, systemd: Systemd) -> None:
    systemd.unit.parent.mkdir(parents=True)
    systemd.unit.write_text("[Service]\nExecStart=/bin/true\n")
    for command in ("install", "remove"):
        result = invoke("service", command)
        assert result.exit_code == 2
        assert "was not made by lsp-cam" in result.output
    assert systemd.unit.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_a_folder_that_cannot_be_made(invoke: Invoke, systemd: Systemd) -> None:
    systemd.unit.parent.parent.mkdir(parents=True)
    systemd.unit.parent.write_text("a file in its place")
    result = invoke("service", "install")
    assert result.exit_code == 1
    assert "Nothing was changed" in result.output
    assert systemd.unit.parent.read_text() == "a file in its place"

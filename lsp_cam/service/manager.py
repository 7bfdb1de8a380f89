"""Installing the unit, removing it, and asking how it is."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import DaemonError, UsageError
from .unit import NAME, program, unit, written_folders

MARK = "# Made by `lsp-cam service install`"
TIMEOUT_S = 60
ABSENT = (
    "There is no systemd here to start lsp-cam at login. Let your desktop do it instead: add `lsp-cam start` to the "
    "programs that it starts."
)
SILENT = (
    "systemd's user manager does not answer ({problem}). Log in on this machine itself, as the user who is to have "
    "lsp-cam, not by su or sudo, and try again."
)
NO_NAMESPACE = (
    "systemd's user manager may not shut a service in here ({problem}). Nothing was changed. To have the service with "
    "no more than its system calls filtered: lsp-cam service install --unconfined"
)


@dataclass(frozen=True)
class Service:
    """How the service is. `enabled`, `active`: systemd's words, as `enabled`, `failed`; "" where it does not answer."""

    unit: Path
    installed: bool
    enabled: str
    active: str


def unit_file() -> Path:
    """Where the unit goes."""
    from platformdirs import user_config_path

    return user_config_path("systemd", appauthor=False) / "user" / NAME


def install(*, now: bool, confined: bool = True) -> Path:
    """Write the unit and have it start at login (and at once, if `now`); gives its file.

    Whatever fails (DaemonError), everything is as before afterwards.
    """
    _check_manager()
    path, before = unit_file(), _ours()
    text = unit(program(), written_folders(), confined=confined)
    if confined:
        _check_namespaces()
    try:
        for folder in (*written_folders(), path.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, text)
    except OSError as error:
        raise DaemonError(
            f"{error.filename or path} cannot be written ({error.strerror}). Nothing was changed."
        ) from None
    try:
        _systemctl("daemon-reload")
        _systemctl("enable", NAME)
        if now:
            _systemctl("restart", NAME)
    except BaseException:
        _take_back(path, before)
        raise
    return path


def remove() -> bool:
    """Stop the service and take it out; whether there was one."""
    path = unit_file()
    if not path.exists():
        return False
    _ours()
    _check_manager()
    _systemctl("disable", "--now", NAME)
    path.unlink()
    _systemctl("daemon-reload")
    return True


def state() -> Service:
    """How the service is."""
    path = unit_file()
    words = [_ask("is-enabled", NAME), _ask("is-active", NAME)] if path.exists() else ["", ""]
    return Service(path, path.exists(), *words)


def _ours() -> str | None:
    """The unit that is there; None if there is none, UsageError if somebody else wrote it."""
    path = unit_file()
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}). Move it away.") from None
    if not text.startswith(MARK):
        raise UsageError(f"{path} was not made by lsp-cam. Move it away, then try again.")
    return text


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(text, "utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _take_back(path: Path, before: str | None) -> None:
    if before is None:
        with suppress(DaemonError):
            _systemctl("disable", "--now", NAME)
        path.unlink(missing_ok=True)
    else:
        _write(path, before)
    with suppress(DaemonError):
        _systemctl("daemon-reload")


def _check_manager() -> None:
    if platform.system() != "Linux":
        raise UsageError("This is for Linux. docs/windows-macos.md has the recipes for other systems.")
    try:
        _run("systemctl", "--user", "show-environment")
    except FileNotFoundError:
        raise DaemonError(ABSENT) from None
    except DaemonError as error:
        raise DaemonError(SILENT.format(problem=str(error).rstrip("."))) from None


def _check_namespaces() -> None:
    """Run nothing, shut in as the service will be."""
    words = ("--user", "--quiet", "--wait", "--collect", "-p", "PrivateUsers=yes", "-p", "ProtectSystem=strict")
    try:
        _run("systemd-run", *words, "-p", "CapabilityBoundingSet=", "-p", "ProtectKernelModules=yes", "/bin/true")
    except (FileNotFoundError, DaemonError) as error:
        raise DaemonError(NO_NAMESPACE.format(problem=str(error).rstrip("."))) from None


def _systemctl(*words: str) -> None:
    try:
        _run("systemctl", "--user", *words)
    except FileNotFoundError:
        raise DaemonError(ABSENT) from None
    except DaemonError as error:
        raise DaemonError(f"`systemctl --user {' '.join(words)}` failed: {error}") from None


def _ask(*words: str) -> str:
    """What systemctl says; its exit status only repeats that."""
    with suppress(OSError, subprocess.TimeoutExpired):
        command = ["systemctl", "--user", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False).stdout.strip()
    return ""


def _run(*command: str) -> None:
    """Raises DaemonError with what it complained of, FileNotFoundError if there is no such program."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise DaemonError(f"no answer in {TIMEOUT_S} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise DaemonError(said[0] if said else f"exit status {done.returncode}")

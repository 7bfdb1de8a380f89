"""What is the user's own: folders, settings, a subject, a port, the daemon that runs."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import folders
from ..errors import DaemonError, LspCamError
from . import probes
from .check import Check, Level, problem
from .remedies import LOOPBACK_UP, as_user, own_folder, put_aside, without_setting

FREE_BYTES = 1 << 30
CONNECT_S = 5.0


def check_folders() -> Iterator[Check]:
    """Where subjects, engines, logs and the daemon's state are written."""
    # What is installed can be shown from a store that cannot be written to.
    yield _folder("store", folders.home(), "fallback")
    yield _folder("state", folders.state_folder(), "needed")


def check_settings() -> Iterator[Check]:
    """The user's config.toml."""
    from ..config import load

    path = folders.config_file()
    try:
        load(path)
    except LspCamError as error:
        yield Check("settings", False, "needed", str(error), f"{put_aside(path)}  # or correct it")
    else:
        yield Check("settings", True, "needed", str(path) if path.exists() else f"defaults (no {path})")


def check_subject() -> Iterator[Check]:
    """The subject that `start` shows when none is named."""
    answer = probes.ask("subject")
    if "title" in answer:
        yield Check("subject", True, "needed", f"{answer['name']}: {answer['title']}")
        return
    fix = "lsp-cam subject install FILE"
    if answer.get("broken"):
        fix = _without(answer["broken"])
    elif answer.get("wanted"):
        fix = f"{without_setting('subject', folders.config_file())}  # or install it"
    yield Check("subject", False, "needed", problem(answer), fix)


def check_port() -> Iterator[Check]:
    """A port on the loopback interface, for the control and the preview page."""
    from ..config import load
    from ..daemon.runtime import Runtime

    port = load().port
    where = f"127.0.0.1, port {port or 'any'}"
    try:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen()
            socket.create_connection(listener.getsockname(), CONNECT_S).close()
    except OSError as error:
        if port and Runtime().is_running():
            yield Check("port", True, "needed", f"{where}, used by lsp-cam")
            return
        fix = (
            f"{without_setting('port', folders.config_file())}  # any free port then" if port else as_user(LOOPBACK_UP)
        )
        yield Check("port", False, "needed", f"{where}: {error.strerror or error}", fix)
    else:
        yield Check("port", True, "needed", where)


def check_daemon() -> Iterator[Check]:
    """Whether lsp-cam runs already, and answers."""
    from ..daemon.client import Client, absence
    from ..daemon.runtime import RUNTIME_VARIABLE, Runtime

    try:
        runtime = Runtime()
    except DaemonError as error:
        yield Check("daemon", False, "needed", str(error), own_folder(RUNTIME_VARIABLE, "lsp-cam-run"))
        return
    if not runtime.is_running():
        yield Check("daemon", False, "optional", absence(runtime), "lsp-cam start")
        return
    record, contact = runtime.record(), runtime.contact()
    who = f"process {record.pid}" if record else "a process"
    if contact is None:
        yield Check("daemon", True, "optional", f"starting, {who}")
        return
    try:
        with Client(contact) as client:
            client.get("/api/status")
    except DaemonError:
        yield Check("daemon", False, "needed", f"{who} runs and does not answer", "lsp-cam stop")
    else:
        yield Check("daemon", True, "optional", f"running, {who}")


def _folder(name: str, folder: Path, level: Level) -> Check:
    there = next(p for p in (folder, *folder.parents) if p.exists())
    writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    free = shutil.disk_usage(there).free
    found = f"{folder}: {'writable' if writable else 'not writable'}, {free / 1e9:.1f} GB free"
    if not writable:
        return Check(name, False, level, found, _writable(there, folder))
    if free < FREE_BYTES:
        return Check(name, False, "fallback", found, f"Make room on the disk of {there}: {FREE_BYTES / 1e9:.1f} GB")
    return Check(name, True, level, found)


def _writable(there: Path, folder: Path) -> str:
    """How to have a folder of one's own where `there`, which is or would hold `folder`, cannot be written to."""
    elsewhere = own_folder(folders.HOME_VARIABLE, "lsp-cam")
    if os.name == "nt":
        return elsewhere
    if not there.is_dir():
        return put_aside(there)
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return elsewhere
    if there.stat().st_uid == os.getuid():
        return f"chmod u+rwx {shlex.quote(str(there))}"
    return as_user(f'sudo chown -R "$(id -u)" {shlex.quote(str(there))}') if there == folder else elsewhere


def _without(broken: dict[str, Any]) -> str:
    """How to be rid of a damaged subject: as it came with the checkout, or put aside."""
    checkout, root = folders.checkout(), Path(broken["root"])
    if checkout and root.is_relative_to(checkout) and (checkout / ".git").exists():
        return f"git -C {shlex.quote(str(checkout))} checkout -- {shlex.quote(str(root.relative_to(checkout)))}"
    return f"{put_aside(root, folders.home() / f'{root.name}.damaged')}  # then install it again"

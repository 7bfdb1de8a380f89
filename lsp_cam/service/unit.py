"""The text of the unit, made of the one template that the package carries."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from string import Template

from .. import folders
from ..assets import unit_template
from ..daemon.runtime import RUNTIME_VARIABLE, runtime_folder
from ..errors import UsageError

NAME = f"{folders.APP}.service"
# Whoever set one of these when installing finds their folders there; systemd's own environment may lack it.
PLACES = (folders.HOME_VARIABLE, "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")
# A user's systemd that may not make user namespaces fails at these, and passes over all else that needs one.
NEED_A_NAMESPACE = (
    "PrivateUsers=", "CapabilityBoundingSet=", "ProtectClock=", "ProtectKernelLogs=", "ProtectKernelModules=",
)  # fmt: skip


def unit(program: Path, written: Sequence[Path], *, confined: bool = True) -> str:
    """The unit that runs `program` and lets it write to the folders `written`.

    `confined=False` leaves out what needs a user namespace. UsageError for a path that systemd cannot hold.
    """
    # Told, as from inside the folder of the session looks as if it could not be used: it is read-only but for ours.
    places = {name: os.environ[name] for name in PLACES if os.environ.get(name)}
    places[RUNTIME_VARIABLE] = str(runtime_folder())
    if set(str(program)) & set("\"'\\"):
        raise UsageError(f"systemd starts no program with quotes or backslashes in its path: {program}. Move it.")
    text = Template(unit_template()).substitute(
        program=quoted(str(program)),
        environment="\n".join(f"Environment={quoted(f'{name}={value}')}" for name, value in places.items()),
        written=" ".join(quoted(str(folder)) for folder in written),
    )
    lines = text.splitlines()
    return "\n".join(line for line in lines if confined or not line.startswith(NEED_A_NAMESPACE)) + "\n"


def quoted(value: str) -> str:
    """`value` as one word that systemd reads literally.

    A dollar stays as it is: systemd expands variables in arguments alone, and there is none of ours among them.
    """
    if not value.isprintable():
        raise UsageError(f"systemd cannot be told of {value!r}: there are control characters in it. Rename it.")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def program() -> Path:
    """The installed `lsp-cam`; UsageError if it is nowhere to be found."""
    beside = Path(sys.executable).with_name(folders.APP)
    named = shutil.which(sys.argv[0]) if Path(sys.argv[0]).name == folders.APP else None
    for found in (named, beside, shutil.which(folders.APP)):
        if found and os.access(found, os.X_OK):
            return Path(found).absolute()
    raise UsageError(f"No program `{folders.APP}` is installed. Install it: {folders.install_command()}")


def written_folders() -> list[Path]:
    """The folders that the daemon writes to, none inside another. They need not exist."""
    store = folders.home()
    wanted = [folders.config_file().parent, folders.state_folder(), store / "subjects", store / "engines"]
    session = os.environ.get("XDG_RUNTIME_DIR")
    if not (session and runtime_folder().is_relative_to(session)):  # systemd makes the one in there
        wanted.append(runtime_folder())
    return [path for path in wanted if not any(path != other and path.is_relative_to(other) for other in wanted)]

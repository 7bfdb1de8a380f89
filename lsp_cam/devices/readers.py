"""Which programs have a camera open, as far as Linux lets one look."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def readers_of(device: str, proc: Path = PROC) -> tuple[str, ...]:
    """The names of this user's other programs that have `device` open; none where nothing is to be seen."""
    found = set()
    for process in proc.iterdir() if proc.is_dir() else ():
        if process.name.isdecimal() and int(process.name) != os.getpid() and _has_open(process, device):
            found.add(_name(process))
    return tuple(sorted(found))


def _has_open(process: Path, device: str) -> bool:
    try:
        return any(os.readlink(process / "fd" / entry) == device for entry in os.listdir(process / "fd"))
    except OSError:  # it has ended, or is somebody else's
        return False


def _name(process: Path) -> str:
    try:
        return (process / "comm").read_text(errors="replace").strip()
    except OSError:
        return f"process {process.name}"

"""Which programs have a camera open, as far as Linux lets one look."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def readers_of(device: str, proc: Path = PROC) -> tuple[str, ...]:
    """The names of this user's other programs that have `device` open; none where nothing is to be seen."""
    return tuple(sorted(set(programs_of(device, proc).values())))


def programs_of(device: str, proc: Path = PROC) -> dict[int, str]:
    """The same with the numbers of their processes."""
    numbers = [int(p.name) for p in proc.iterdir() if p.name.isdecimal()] if proc.is_dir() else []
    others = [n for n in sorted(numbers) if n != os.getpid() and _has_open(proc / str(n), device)]
    return {number: _name(proc / str(number)) for number in others}


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

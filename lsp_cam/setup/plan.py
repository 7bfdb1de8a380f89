"""What to do to a system, step by step, and how to undo what was done."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..doctor.remedies import LABEL
from ..errors import UsageError
from .facts import GROUP, Facts, installed, is_member

LOAD_FILE = Path("/etc/modules-load.d/lsp-cam.conf")
OPTIONS_FILE = Path("/etc/modprobe.d/lsp-cam.conf")
RECORD = Path("/var/lib/lsp-cam/setup.json")
MARK = "# Written by `lsp-cam setup`; `lsp-cam setup --undo` takes it away.\n"
FILES: Mapping[Path, str] = {
    OPTIONS_FILE: f'{MARK}options v4l2loopback devices=1 exclusive_caps=1 card_label="{LABEL}"\n',
    LOAD_FILE: f"{MARK}v4l2loopback\n",
}
INSTALL: Mapping[str, tuple[str, ...]] = {
    "debian": ("apt-get", "install", "-y", "--no-install-recommends"),
    "fedora": ("dnf", "install", "-y"),
    "arch": ("pacman", "-S", "--noconfirm", "--needed"),
    "suse": ("zypper", "--non-interactive", "install"),
}
REMOVE: Mapping[str, tuple[str, ...]] = {
    "debian": ("apt-get", "remove", "-y"),
    "fedora": ("dnf", "remove", "-y"),
    "arch": ("pacman", "-R", "--noconfirm"),
    "suse": ("zypper", "--non-interactive", "remove"),
}


@dataclass(frozen=True)
class Step:
    """One command for root, and why. `text`: what it reads; `may_fail`: without it the rest is worth doing, too."""

    why: str
    command: tuple[str, ...]
    text: str | None = None
    may_fail: bool = False

    def shown(self, prefix: tuple[str, ...]) -> str:
        """The step as a shell takes it."""
        words = shlex.join((*prefix, *self.command))
        return words if self.text is None else f"printf %s {shlex.quote(self.text)} | {words}"


class Record(BaseModel):
    """What setup did to the system. `files`: path and SHA-256 of what was written; `group`: who was added to video."""

    model_config = ConfigDict(frozen=True)
    family: str
    files: dict[str, str] = {}
    packages: tuple[str, ...] = ()
    group: str | None = None


def plan(found: Facts, root: Path = Path("/")) -> list[Step]:
    """What brings the system to where a camera called LSP Cam is there, now and after every start; or, where its driver
    can't be had, to where there can be a PipeWire camera. Maybe nothing."""
    changed = {path: text for path, text in FILES.items() if found.buildable and _read(root, path) != text}
    steps: list[Step] = []
    if found.missing:
        if found.family == "debian":
            steps.append(Step("Ask for the list of packages", ("apt-get", "update"), may_fail=True))
        steps.append(Step("Install what is missing", (*INSTALL[found.family], *found.missing)))
    steps += [Step(_why(path), ("tee", str(path)), text) for path, text in changed.items()]
    if not found.member:
        steps.append(
            Step(f"Let {found.user} use cameras (after logging in anew)", ("usermod", "-aG", GROUP, found.user))
        )
    if found.buildable and not found.fit:
        if found.loaded:
            steps.append(Step("Take out the module, which has other options", ("modprobe", "-r", "v4l2loopback")))
        steps.append(Step(f"Make {LABEL} now", ("modprobe", "v4l2loopback")))
    if not steps:
        return []
    record = merged(read_record(root), found, changed)
    return [
        Step("Note what is done, for --undo", ("mkdir", "-p", str(RECORD.parent))),
        Step("", ("tee", str(RECORD)), record.model_dump_json(indent=2) + "\n"),
        *steps,
    ]


def undo(record: Record, root: Path = Path("/"), loaded: bool = False) -> tuple[list[Step], list[str]]:
    """What takes away all that setup did and nothing else; and what it leaves alone, in words."""
    steps, left = [], []
    if loaded and record.files:
        steps.append(Step(f"Take {LABEL} away", ("modprobe", "-r", "v4l2loopback"), may_fail=True))
    for name, checksum in record.files.items():
        text = _read(root, Path(name))
        if text is None:
            continue
        if _checksum(text) == checksum:
            steps.append(Step("Remove what was written", ("rm", name)))
        else:
            left.append(f"{name} was changed since; it stays.")
    if record.group and is_member(record.group):
        steps.append(Step(f"Take {record.group} out of the group {GROUP}", ("gpasswd", "-d", record.group, GROUP)))
    packages = [package for package in record.packages if installed(record.family, package)]
    if packages:
        steps.append(Step("Remove what was installed", (*REMOVE[record.family], *packages)))
    steps.append(Step("Forget what was done", ("rm", str(RECORD))))
    steps.append(Step("", ("rmdir", "--ignore-fail-on-non-empty", str(RECORD.parent))))
    return steps, left


def read_record(root: Path = Path("/")) -> Record | None:
    """What setup did to the system below `root`; None if it never did anything. UsageError if it cannot be read."""
    text = _read(root, RECORD)
    if text is None:
        return None
    try:
        return Record.model_validate_json(text)
    except ValidationError:
        raise UsageError(
            f"{RECORD} is damaged: nobody knows what setup did. Look at {LOAD_FILE} and {OPTIONS_FILE}, and remove it."
        ) from None


def merged(before: Record | None, found: Facts, written: Mapping[Path, str]) -> Record:
    """What will have been done, together with what was done `before`."""
    old = before or Record(family=found.family)
    return Record(
        family=found.family,
        files=old.files | {str(path): _checksum(text) for path, text in written.items()},
        packages=tuple(dict.fromkeys((*old.packages, *found.missing))),
        group=old.group or (None if found.member else found.user),
    )


def _read(root: Path, path: Path) -> str | None:
    try:
        return (root / path.relative_to("/")).read_text("utf-8")
    except (OSError, ValueError):
        return None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _why(path: Path) -> str:
    return "Load the module at every start" if path == LOAD_FILE else f"One device, called {LABEL}, that browsers list"

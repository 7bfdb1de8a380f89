"""How a user likes each subject: its manner and its head, kept from one run to the next."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import UsageError
from ..packets import AS_MADE, Manner
from ..stages.steer import Steering

LOG = logging.getLogger(__name__)


class Liking(NamedTuple):
    """A manner, and who steers the head; None: whoever steers it already."""

    manner: Manner = AS_MADE
    steering: Steering | None = None


AS_EVER = Liking()


class _Entry(BaseModel):
    """A subject's part of the file."""

    model_config = ConfigDict(extra="ignore")
    manner: dict[str, float] = {}
    steering: dict[str, Any] | None = None

    def liking(self) -> Liking:
        return Liking(Manner(**self.manner), None if self.steering is None else Steering(**self.steering))


class _File(BaseModel):
    subjects: dict[str, _Entry] = {}


class Memory:
    """What is kept in `path`, in memory until `save`. A file that is damaged counts as none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._changed = self._full = False
        self._likings = _read(path)

    def of(self, subject: str) -> Liking:
        """How this subject is liked."""
        return self._likings.get(subject, AS_EVER)

    def keep(self, subject: str, manner: Manner | None = None, steering: Steering | None = None) -> None:
        """Keep what is given. A track or a held head is of the moment, and not kept."""
        with self._lock:
            liking = self._likings.get(subject, AS_EVER)
            if manner is not None:
                liking = liking._replace(manner=manner)
            if steering is not None and steering.mode in ("auto", "fixed"):
                liking = liking._replace(steering=replace(steering, track=None))
            self._likings[subject] = liking
            self._changed = True

    def forget(self, subject: str) -> None:
        """Like this subject as it was made."""
        with self._lock:
            self._likings.pop(subject, None)
            self._changed = True

    def save(self) -> None:
        """Write what has changed; where the disk is full, it is tried again the next time, and logged once."""
        with self._lock:
            if not self._changed:
                return
            self._changed = False
            entries = {name: _entry(liking) for name, liking in self._likings.items()}
        try:
            _write(self._path, _File(subjects=entries).model_dump_json(indent=1))
        except OSError as error:
            if not self._full:
                LOG.warning("how subjects are liked cannot be kept in %s: %s", self._path, error)
            self._full = self._changed = True
            return
        self._full = False


def _entry(liking: Liking) -> _Entry:
    steering = liking.steering
    kept = None if steering is None else {k: v for k, v in asdict(steering).items() if k != "track"}
    return _Entry(manner=asdict(liking.manner), steering=kept)


def _read(path: Path) -> dict[str, Liking]:
    try:
        entries = _File.model_validate_json(path.read_bytes()).subjects
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        LOG.warning("%s cannot be used: %s", path, error)
        return {}
    likings = {}
    for name, entry in entries.items():
        try:
            likings[name] = entry.liking()
        except (UsageError, TypeError) as error:
            LOG.warning("%s: how '%s' is liked cannot be used: %s", path, name, error)
    return likings


def _write(path: Path, text: str) -> None:
    """Replace `path` at once, readable by the user alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise

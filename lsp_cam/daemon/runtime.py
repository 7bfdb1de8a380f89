"""What is known of the user's daemon from outside: a lock, a runtime file, and a record of the last run.

The lock belongs to the living process alone (the kernel frees it at a crash), so it is the truth about
whether one runs. The runtime file holds the token and is readable by the user only.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
import warnings
from pathlib import Path
from typing import Annotated, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import DaemonError
from ..folders import APP, HOME_VARIABLE, state_folder
from .options import State

RUNTIME_VARIABLE = "LSP_CAM_RUNTIME"

M = TypeVar("M", bound=BaseModel)


class Contact(BaseModel):
    """How to reach the daemon that runs."""

    model_config = ConfigDict(frozen=True)
    pid: int
    port: Annotated[int, Field(gt=0, le=65535)]
    token: str

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """The preview page, with the token that opens it."""
        return f"{self.base_url}/?token={self.token}"


class Record(BaseModel):
    """The last run, as its process wrote it down. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True)
    pid: int
    started_s: float
    state: State
    subject: str | None = None
    message: str | None = None
    notices: tuple[str, ...] = ()
    exit_code: int = 0


class Runtime:
    """The folder of these files, made if need be. DaemonError if it is not the user's own."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or runtime_folder()
        _make_private(self.folder)
        self.lock = FileLock(self.folder / "daemon.lock", mode=0o600, thread_local=False)
        self._contact = self.folder / "daemon.json"
        self._record = self.folder / "last.json"

    def acquire(self) -> None:
        """Become the user's daemon; DaemonError, saying who it is, when there is one already."""
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            raise DaemonError(already_running(self.record())) from None
        self._contact.unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether a daemon lives (it need not answer yet)."""
        if self.lock.is_locked:
            return True
        try:
            with self.lock.acquire(timeout=0):
                return False
        except Timeout:
            return True

    def contact(self) -> Contact | None:
        """How to reach the daemon; None before it listens and after its end."""
        return _read(self._contact, Contact)

    def record(self) -> Record | None:
        """What the last run wrote down."""
        return _read(self._record, Record)

    def write_contact(self, contact: Contact) -> None:
        _write(self._contact, contact)

    def write_record(self, record: Record) -> None:
        _write(self._record, record)

    def forget_record(self) -> None:
        """Remove what the last run wrote down, which needs no room on the disk."""
        self._record.unlink(missing_ok=True)

    def beat(self) -> None:
        """Leave a sign of life; after a crash its time says when that was."""
        os.utime(self._record)

    def last_beat_s(self) -> float | None:
        """When the last run gave its last sign of life."""
        try:
            return self._record.stat().st_mtime
        except OSError:
            return None

    def release(self) -> None:
        """Remove the runtime file and give the lock back."""
        self._contact.unlink(missing_ok=True)
        self.lock.release()


def runtime_folder() -> Path:
    """Where these files live: `LSP_CAM_RUNTIME`, else below `LSP_CAM_HOME`, else the user's runtime folder."""
    if given := os.environ.get(RUNTIME_VARIABLE):
        return Path(given).expanduser().absolute()
    if os.environ.get(HOME_VARIABLE):
        return state_folder() / "run"
    from platformdirs import user_runtime_path

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it falls back to /tmp; `_make_private` checks that
        return user_runtime_path(APP, appauthor=False)


def log_folder() -> Path:
    """Where the daemon's logs go."""
    return state_folder() / "log"


def log_file() -> Path:
    """The daemon's log; older ones lie beside it, numbered."""
    return log_folder() / "daemon.log"


def already_running(record: Record | None) -> str:
    """The message of a second start."""
    if record is None or record.state not in ("starting", "running", "stopping"):
        who = "lsp-cam is running already"
    else:
        subject = f", showing '{record.subject}'" if record.subject else ""
        who = f"lsp-cam is running already: process {record.pid}, since {local_time(record.started_s)}{subject}"
    return f"{who}. Use it, or end it with `lsp-cam stop`."


def local_time(epoch_s: float) -> str:
    """A time as people read it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch_s))


def _make_private(folder: Path) -> None:
    """Make `folder` with mode 0700; refuse one that somebody else owns or can write to."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.lstat()
        if os.name == "posix":
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
                raise DaemonError(f"{folder} belongs to somebody else. Set {RUNTIME_VARIABLE} to a folder of your own.")
            if stat.S_IMODE(found.st_mode) & 0o077:
                folder.chmod(0o700)
    except OSError as error:
        raise DaemonError(
            f"The folder {folder} cannot be used ({error.strerror}). Set {RUNTIME_VARIABLE} to a folder of your own."
        ) from None


def _read(path: Path, kind: type[M]) -> M | None:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(path: Path, value: BaseModel) -> None:
    """Replace `path` at once; mkstemp makes the file readable by the user only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            json.dump(value.model_dump(mode="json"), file)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise DaemonError(
            f"{path} cannot be written ({error.strerror}). Make room, or set {RUNTIME_VARIABLE}."
        ) from None

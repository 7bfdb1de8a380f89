"""A folder whose sub-folders come, change and go in one go, whoever is killed meanwhile.

A new sub-folder is made in `.incoming-*`, then renamed. Each writer holds a lock beside its `.incoming-*`
folder; the kernel lets go of it when the writer dies, and the next writer clears away what nobody holds.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import SubjectError, UsageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

INCOMING = ".incoming-"
REPLACED = ".replaced-"
LOCK = ".lock"
LOCK_TIMEOUT_S = 60


@dataclass(frozen=True)
class AtomicFolder:
    """The folder `path`, which need not exist until something is added."""

    path: Path

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A new folder on the same file system to work in; it is gone at the end."""
        with translated(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._sweep()
                work = Path(tempfile.mkdtemp(prefix=INCOMING, dir=self.path))
                owner = _lock(_owner(work))
                owner.acquire()
        try:
            yield work
        except OSError as error:
            if error.errno in FULL:
                raise _full(self.path) from None
            raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
            owner.release()
            _owner(work).unlink(missing_ok=True)

    def check_free(self, name: str) -> None:
        """UsageError if `name` is there."""
        if (self.path / name).exists():
            raise UsageError(f"'{name}' is installed already. To put this one in its place, add --replace.")

    def add(self, made: Path, name: str, work: Path, *, replace: bool) -> Path:
        """Move `made` (below `work`, which `incoming` gave) to `name`, in place of what is there if `replace`."""
        target, old = self.path / name, self.path / f"{REPLACED}{name}"
        with translated(self.path):
            sync_tree(made)
            with self._locked():
                if not replace:
                    self.check_free(name)
                elif target.exists():
                    target.rename(old)
                made.rename(target)
                if old.exists():
                    old.rename(work / "replaced")
                _sync_folder(self.path)
        return target

    def remove(self, name: str) -> None:
        """Take `name` out in one go, then delete it."""
        with self.incoming() as work, translated(self.path), self._locked():
            (self.path / name).rename(work / "removed")
            _sync_folder(self.path)

    def recover(self) -> None:
        """Finish, or take back, a replacement that was killed between its two renames."""
        if any(self.path.glob(f"{REPLACED}*")):
            with self.settled():
                pass

    @contextmanager
    def settled(self) -> Iterator[None]:
        """No replacement is under way, here or in another process, as long as this lasts."""
        with ExitStack() as held:
            # Where no lock is, nobody has written yet; where it cannot be taken, nobody like us can.
            if os.access(self.path / LOCK, os.R_OK | os.W_OK):
                held.enter_context(self._locked())
                with translated(self.path):
                    self._finish()
            yield

    def _finish(self) -> None:
        for old in self.path.glob(f"{REPLACED}*"):
            target = self.path / old.name.removeprefix(REPLACED)
            if target.exists():
                shutil.rmtree(old)
            else:
                old.rename(target)

    def _sweep(self) -> None:
        from filelock import Timeout

        for work in {p.with_name(p.name.removesuffix(".lock")) for p in self.path.glob(f"{INCOMING}*")}:
            try:
                with _lock(_owner(work), timeout_s=0):
                    shutil.rmtree(work, ignore_errors=True)
            except Timeout:
                continue
            _owner(work).unlink(missing_ok=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import Timeout

        try:
            with _lock(self.path / LOCK):
                yield
        except Timeout:
            raise SubjectError(f"Another lsp-cam has been changing {self.path} for a minute. Try again.") from None


def sync_tree(root: Path) -> None:
    """Have all of a folder on the disk before its name says that it is there."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
        else:
            _sync_folder(path)
    _sync_folder(root)


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Errors of the disk, told as errors of the store."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise _full(folder) from None
        raise SubjectError(f"The store {folder} cannot be used ({error}). Nothing was changed.") from None


FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def _full(folder: Path) -> SubjectError:
    return SubjectError(f"The disk is full ({folder}). Make room and try again; nothing was changed.")


def _owner(work: Path) -> Path:
    return work.with_name(f"{work.name}.lock")


def _lock(path: Path, timeout_s: float = LOCK_TIMEOUT_S) -> BaseFileLock:
    from filelock import FileLock

    return FileLock(path, timeout=timeout_s)


def _sync_folder(path: Path) -> None:
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

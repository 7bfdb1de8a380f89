"""Where bundles and engines live: HOME/subjects/NAME and HOME/engines.

A reader sees all of a bundle or none of it; a writer that is killed leaves the store as it was (`atomic.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from . import folders
from .archive import check_target, copy_bundle, pack, unpack
from .atomic import AtomicFolder, translated
from .errors import BundleError, SubjectError, SubjectNotFound, UsageError
from .manifest import check_name
from .subject import Subject
from .trust.signers import Signers
from .trust.signing import SIGNATURE, own_fingerprint, sign_manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DEFAULT_SUBJECT = "demo"
RELEASE_PAGE = "https://github.com/YuanxunLu/LiveSpeechPortraits"
RELEASED = {"may": "May", "obama1": "Obama1", "obama2": "Obama2", "nadella": "Nadella", "mcstay": "McStay"}


@dataclass(frozen=True)
class Installed:
    """A folder of the store: a subject, or what is wrong with it. What ships with the checkout is not `removable`."""

    name: str
    root: Path
    removable: bool
    subject: Subject | None
    problem: str | None


class Store:
    """The subjects that are installed, those of the checkout among them."""

    def __init__(self, home: Path | None = None, shipped: Path | None = None) -> None:
        """`home` and `shipped` (a folder of subjects that is only read) default to what `folders` says.

        The signers that are known are the user's, or those of a `home` that is given.
        """
        self.signers = Signers(home / "trusted.json" if home else None)
        checkout = folders.checkout()
        self.home = home or folders.home()
        self._shipped = shipped or (checkout / "subjects" if checkout else None)
        self._atomic = AtomicFolder(self.home / "subjects")

    @property
    def folder(self) -> Path:
        """The folder of subjects that is written to; it need not exist."""
        return self._atomic.path

    @property
    def compact(self) -> AtomicFolder:
        """The folder of compact forms that calls offer; safe to delete."""
        return AtomicFolder(self.home / "compact")

    @property
    def engines(self) -> Path:
        """The folder of compiled networks; it need not exist."""
        return self.home / "engines"

    def entries(self) -> list[Installed]:
        """All that is there, by name, damaged ones too."""
        with self._atomic.settled():
            return self._entries()

    def subjects(self) -> list[Subject]:
        """The subjects that can be opened, by name."""
        return [entry.subject for entry in self.entries() if entry.subject]

    def get(self, name: str) -> Subject:
        """The subject of that name; SubjectNotFound says what there is instead, and how to get a known one."""
        self._atomic.recover()
        try:
            return _open(self._look(name))
        except SubjectError:  # damaged or not there, or being replaced just now
            with self._atomic.settled():
                return _open(self._look(name))

    def default(self) -> Subject:
        """The subject to use when none is named: `demo`, else the first."""
        found = {subject.name: subject for subject in self.subjects()}
        if not found:
            raise SubjectNotFound("No subject is installed. Get an archive and run: lsp-cam subject install FILE")
        return found.get(DEFAULT_SUBJECT) or found[min(found)]

    def find(self, name: str) -> Path:
        """The folder of a subject, damaged or not."""
        with self._atomic.settled():
            return self._look(name)

    def find_removable(self, name: str) -> Path:
        """The folder of a subject; UsageError if it ships with the checkout and is not in this store."""
        root = self.find(name)
        if root.parent != self.folder:
            raise UsageError(f"'{name}' ships with lsp-cam ({root}); only what is in {self.folder} can be removed.")
        return root

    def check_free(self, name: str, replace: bool = False) -> None:
        """UsageError if `name` is in the store and may not be replaced; for asking before long work."""
        check_name(name)
        if not replace:
            self._atomic.check_free(name)

    def install(self, archive: Path, *, replace: bool = False) -> Subject:
        """Unpack, check and add an archive: all of it or nothing."""
        with self.incoming() as work, translated(self.folder):
            return self.take(unpack(archive, work / "bundle").root, work, replace=replace)

    def adopt(self, root: Path, *, replace: bool = False) -> Subject:
        """Add a copy of the bundle in the folder `root`, made elsewhere."""
        with self.incoming() as work, translated(self.folder):
            return self.take(copy_bundle(Subject.open(root), work / "bundle").root, work, replace=replace)

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder on the store's file system to make a bundle in, for `take`; it is gone at the end."""
        with self._atomic.incoming() as work:
            yield work

    def take(self, root: Path, work: Path, *, replace: bool = False) -> Subject:
        """Check the bundle in `root`, below the folder `work` that `incoming` gave, and move it into the store."""
        subject = Subject.open(root)
        subject.verify()
        self.signers.check(subject.name, subject.signer)
        return Subject.open(self._atomic.add(root, subject.name, work, replace=replace))

    def export(self, name: str, file: Path) -> None:
        """Write a subject as an archive."""
        check_target(file, name)
        subject = self.get(name)
        subject.verify()
        pack(subject, file)

    def sign(self, name: str, key: Ed25519PrivateKey) -> Subject:
        """Sign a subject of the store; UsageError as in `find_removable`, SignerError if somebody else signs it."""
        self.find_removable(name)
        subject = self.get(name)
        subject.verify()
        self.signers.check(name, own_fingerprint(key))
        with self.incoming() as work, translated(self.folder):
            part = work / SIGNATURE
            part.write_bytes(sign_manifest(subject.text, key))
            part.chmod(0o600)
            part.replace(subject.root / SIGNATURE)
        return self.get(name)

    def remove(self, name: str) -> None:
        """Take a subject out of the store; UsageError as in `find_removable`."""
        self._atomic.remove(self.find_removable(name).name)
        if (self.compact.path / name).exists():
            self.compact.remove(name)

    def _look(self, name: str) -> Path:
        check_name(name)
        for folder in self._folders():
            if (folder / name).is_dir():
                return folder / name
        raise SubjectNotFound(_not_found(name, [entry.name for entry in self._entries() if entry.subject]))

    def _entries(self) -> list[Installed]:
        roots: dict[str, Path] = {}
        for folder in self._folders():
            with translated(folder):
                for root in folder.iterdir() if folder.is_dir() else ():
                    if root.is_dir() and not root.name.startswith("."):
                        roots.setdefault(root.name, root)
        return [self._entry(roots[name]) for name in sorted(roots)]

    def _folders(self) -> list[Path]:
        shipped = [self._shipped] if self._shipped and self._shipped != self.folder else []
        return [self.folder, *shipped]

    def _entry(self, root: Path) -> Installed:
        removable = root.parent == self.folder
        try:
            return Installed(root.name, root, removable, _open(root), None)
        except SubjectError as error:
            return Installed(root.name, root, removable, None, str(error))


def _not_found(name: str, installed: list[str]) -> str:
    there = ", ".join(installed) or "none"
    if name not in RELEASED:
        return f"No subject '{name}' is installed. Installed: {there}. To add one: lsp-cam subject install FILE"
    return (
        f"'{name}' is not installed. It is {RELEASED[name]}, one of the subjects that the authors of Live Speech "
        f"Portraits released and that cannot be passed on here. Download their release ({RELEASE_PAGE}), then run: "
        f"lsp-cam subject import-release data/{RELEASED[name]} --apc data/APC_epoch_160.model --name {name}\n"
        f"Installed: {there}."
    )


def _open(root: Path) -> Subject:
    subject = Subject.open(root)
    if subject.name != root.name:
        raise BundleError(f"{root.name}: the folder holds the subject '{subject.name}'. Rename the folder to that.")
    return subject

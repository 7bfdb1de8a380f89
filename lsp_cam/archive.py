"""The `.lspcam` archive: a bundle in one zip file. A stranger may have made it, so nothing in it is believed.

What is allowed is exactly what `pack` writes: `manifest.json`, its signature and the files that it lists, stored or
deflated, nothing else, no comment, no ZIP64.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from .errors import BundleError, SubjectError, UsageError
from .manifest import (
    MANIFEST,
    MAX_BUNDLE_BYTES,
    MAX_FILES,
    MAX_MANIFEST_BYTES,
    FileEntry,
    Manifest,
    check_member,
    parse_manifest,
)
from .subject import Subject
from .trust.signing import MAX_SIGNATURE_BYTES, SIGNATURE, check_signature

SUFFIX = ".lspcam"
MAX_DIRECTORY_BYTES = 1 << 16
MAX_ARCHIVE_BYTES = MAX_BUNDLE_BYTES + (1 << 20)
# Deflate cannot do better than 1032; honest networks, arrays and pictures stay far below this.
MAX_RATIO = 200
RATIO_FREE_BYTES = 1 << 20
SPARE_BYTES = 16 << 20
BLOCK_BYTES = 1 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)
ENCRYPTED = 0x1 | 0x40 | 0x2000
LOCATOR_BYTES = 20  # of ZIP64, before the end record
END_RECORD = struct.Struct("<4s4H2LH")
UNREADABLE_ZIP = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError,
)  # fmt: skip


def check_target(file: Path, name: str) -> None:
    """UsageError unless `file` can be the archive of the subject `name`; for asking before long work."""
    if file.is_dir():
        raise UsageError(f"{file} is a folder. Name the file to write, say {file / (name + SUFFIX)}.")


def pack(subject: Subject, file: Path) -> None:
    """Write the bundle as an archive; `file` is replaced in one go.

    The same bundle gives the same bytes, with any zlib: all is stored, as weights, arrays and pictures would
    hardly shrink. A compact one, whose numbers are rounded for it, is deflated.
    """
    method = zipfile.ZIP_STORED if subject.manifest.compacted is None else zipfile.ZIP_DEFLATED
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}.partial")
    try:
        with zipfile.ZipFile(partial, "x", method, allowZip64=False, compresslevel=9) as archive:
            _add(archive, MANIFEST, subject.text)
            if subject.signature is not None:
                _add(archive, SIGNATURE, subject.signature)
            for path in sorted(subject.manifest.files):
                _add(archive, path, subject.read(path))
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(file)
    except (OSError, zipfile.LargeZipFile) as error:
        raise SubjectError(f"{file} could not be written ({error}). Choose another place.") from None
    finally:
        partial.unlink(missing_ok=True)


def _add(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    info = zipfile.ZipInfo(path, EPOCH)
    info.create_system = 3
    info.compress_type = archive.compression
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(info, data)


def unpack(file: Path, root: Path) -> Subject:
    """Unpack an archive into the new folder `root`, every checksum checked.

    BundleError where the archive is not what `pack` writes; then some of it may be below `root`.
    """
    try:
        _check_end(file)
        with zipfile.ZipFile(file) as archive:
            members = _members(archive, file.name)
            with archive.open(members[MANIFEST]) as stream:
                text = stream.read(MAX_MANIFEST_BYTES + 1)
            manifest = parse_manifest(text, file.name)
            signature = _signature(archive, members, text, file.name)
            _compare(members, manifest, file.name)
            _check_space(manifest, root.parent)
            _extract(archive, members, manifest, root)
    except UNREADABLE_ZIP as error:
        raise BundleError(f"{file.name} is damaged ({error}). Get the archive again.") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # zipfile was told to seek to before the beginning
            raise
        raise BundleError(f"{file.name} is damaged (its directory is wrong). Get the archive again.") from None
    _write_head(root, text, signature)
    return Subject.open(root)


def copy_bundle(subject: Subject, root: Path) -> Subject:
    """Copy a bundle into the new folder `root`, every checksum checked."""
    _check_space(subject.manifest, root.parent)
    root.mkdir(mode=0o700)
    for path in subject.manifest.files:
        target = root / path
        target.parent.mkdir(mode=0o700, exist_ok=True)
        target.write_bytes(subject.read(path))
    _write_head(root, subject.text, subject.signature)
    return Subject.open(root)


def _check_end(file: Path) -> None:
    """Look at the end record before zipfile does, which would read a directory of any size into memory."""
    refusal = f"{file.name} is no {SUFFIX} archive, or was cut short. Get the archive again."
    try:
        size = file.stat().st_size
        if not file.is_file():
            raise UsageError(f"{file} is not a file. Name the {SUFFIX} file to install.")
        with file.open("rb") as stream:
            stream.seek(max(0, size - END_RECORD.size - LOCATOR_BYTES))
            tail = stream.read(END_RECORD.size + LOCATOR_BYTES)
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}). Name the {SUFFIX} file to install.") from None
    if len(tail) < END_RECORD.size:
        raise BundleError(refusal)
    magic, _, _, _, entries, directory_bytes, _, comment = END_RECORD.unpack(tail[-END_RECORD.size :])
    if magic != b"PK\x05\x06" or comment or tail.startswith(b"PK\x06\x07"):
        raise BundleError(refusal)
    if entries > MAX_FILES + 2 or directory_bytes > MAX_DIRECTORY_BYTES or size > MAX_ARCHIVE_BYTES:
        raise BundleError(f"{file.name} is absurdly large. Do not use this archive.")


def _members(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, each of them a plain file of a bearable size."""
    members: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = check_member(info.orig_filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if name in members:
            raise BundleError(f"{where}: {name} is in it twice. Do not use this archive.")
        if info.flag_bits & ENCRYPTED:
            raise BundleError(f"{where}: {name} is encrypted. Ask for an archive that is not.")
        if kind not in (0, stat.S_IFREG) or info.external_attr & 0x10 or name != info.filename:
            raise BundleError(f"{where}: {name} is not a plain file (a link?). Do not use this archive.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(f"{where}: {name} is compressed in an unknown way. Pack it with lsp-cam.")
        if info.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * info.compress_size):
            raise BundleError(f"{where}: {name} would grow absurdly when unpacked. Do not use this archive.")
        members[name] = info
    if MANIFEST not in members:
        raise BundleError(f"{where} has no {MANIFEST}, so it is no subject. Get the archive again.")
    return members


def _signature(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], text: bytes, where: str) -> bytes | None:
    """The signature file, if there is one, checked before anything is unpacked."""
    if SIGNATURE not in members:
        return None
    with archive.open(members[SIGNATURE]) as stream:
        signature = stream.read(MAX_SIGNATURE_BYTES + 1)
    check_signature(text, signature, where)
    return signature


def _write_head(root: Path, text: bytes, signature: bytes | None) -> None:
    for name, data in ((MANIFEST, text), (SIGNATURE, signature)):
        if data is not None:
            with open(os.open(root / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)


def _compare(members: dict[str, zipfile.ZipInfo], manifest: Manifest, where: str) -> None:
    """Exactly what the manifest lists must be there, as large as it says."""
    if missing := sorted(manifest.files.keys() - members.keys()):
        raise BundleError(f"{where}: {missing[0]} is missing. Get the archive again.")
    if extra := sorted(members.keys() - manifest.files.keys() - {MANIFEST, SIGNATURE}):
        raise BundleError(f"{where}: {extra[0]} does not belong to the bundle. Do not use this archive.")
    for path, entry in manifest.files.items():
        if members[path].file_size != entry.bytes:
            raise BundleError(f"{where}: {path} has another size than the manifest says. Get the archive again.")


def _check_space(manifest: Manifest, folder: Path) -> None:
    needed = sum(entry.bytes for entry in manifest.files.values()) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SubjectError(
            f"{manifest.name} needs {needed >> 20} MiB in {folder}, and {free >> 20} MiB are free. Make room first."
        )


def _extract(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], manifest: Manifest, root: Path) -> None:
    root.mkdir(mode=0o700)
    for path, entry in manifest.files.items():
        target = root / path
        target.parent.mkdir(mode=0o700, exist_ok=True)
        with archive.open(members[path]) as stream:
            _copy(stream, target, entry, path)


def _copy(source: IO[bytes], target: Path, entry: FileEntry, path: str) -> None:
    """Copy at most what the manifest says, hashing what is written."""
    digest, left = hashlib.sha256(), entry.bytes
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while block := source.read(min(BLOCK_BYTES, left + 1)):
            left -= len(block)
            if left < 0:
                raise BundleError(f"{path} is larger than the manifest says. Do not use this bundle.")
            digest.update(block)
            out.write(block)
    if left or digest.hexdigest() != entry.sha256:
        raise BundleError(f"{path} was changed (checksum differs). Get the bundle again.")

"""The bundle: a subject on disk. A folder with `manifest.json`, ONNX files, `.npz` arrays and pictures.

    signature.json         who signed the manifest, if anybody did (`trust/signing.py`)
    manifest.json          format, name, licence, consent, provenance, per-stage settings, sha256 of every file
    speech.onnx            mel rows -> features, recurrent state
    mouth.onnx             features -> displacements, recurrent state
    pose_speech.onnx       features -> what speech adds to the head's motion; pose.onnx: that and past poses -> the next
    render.onnx            feature map -> picture; render_constants.onnx (candidates -> its constants), where it has any
    manifold.npz           feature_base (N, F)
    face.npz               mean_points, rest_points (73, 3), eye_track (T, E, 3), eye_indices (E,), closed_mouth (18, 3)
    camera.npz             intrinsics (3, 3), scale (), mean_translation (3,), shoulders (18, 3),
                           shoulders_translation (3,)
    candidates/0.png …     four pictures (or .jpg, .webp), where the renderer takes them
    preview.jpg            what the subject looks like
    body.npz               where the shoulders are in the preview, for evaluation; optional

Nothing in a bundle can run code. Every file is read whole, hashed, and only then used, so that what
was checked is what is loaded.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from .errors import BundleError
from .manifest import FORMAT, MANIFEST, MAX_MANIFEST_BYTES, Manifest, check_member, hash_of, parse_manifest
from .trust.networks import check_network
from .trust.signing import MAX_SIGNATURE_BYTES, SIGNATURE, check_signature

MAX_ARRAY_BYTES = 1 << 29

# What numpy and zipfile are known to raise on bytes that are no honest .npz.
UNREADABLE_NPZ = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, OSError, EOFError, KeyError, MemoryError,
    NotImplementedError, RuntimeError, OverflowError, TypeError, SyntaxError,
)  # fmt: skip

C = TypeVar("C")


@dataclass(frozen=True)
class Subject:
    """A bundle, opened. `root` is its folder, `text` and `signature` what its manifest and signature file hold.

    `signer`: the fingerprint of whoever signed it; None if nobody did.
    """

    root: Path
    manifest: Manifest
    text: bytes = field(default=b"", repr=False)
    signature: bytes | None = field(default=None, repr=False)
    signer: str | None = None

    @classmethod
    def open(cls, root: Path) -> Subject:
        """Read the manifest and check its signature; other files are read (and checked) when they are needed."""
        text = _read_head(root, MANIFEST, MAX_MANIFEST_BYTES)
        manifest = parse_manifest(text, root.name)
        if not os.path.lexists(root / SIGNATURE):
            return cls(root, manifest, text)
        signature = _read_head(root, SIGNATURE, MAX_SIGNATURE_BYTES)
        return cls(root, manifest, text, signature, check_signature(text, signature, root.name))

    @property
    def name(self) -> str:
        return self.manifest.name

    def has(self, path: str) -> bool:
        """Whether the manifest lists `path`."""
        return path in self.manifest.files

    def read(self, path: str) -> bytes:
        """The bytes of a file, checked against the manifest; of a network, also that it may reach an engine."""
        entry = self.manifest.files.get(path)
        if entry is None:
            raise BundleError(f"{self.name}: the bundle has no {path}. Install the bundle again.")
        file = self.root / path
        if file.is_symlink() or any(p.is_symlink() for p in file.parents if self.root in p.parents):
            raise BundleError(f"{self.name}: {path} is a symbolic link. Do not use this bundle.")
        if not file.is_file():
            raise BundleError(f"{self.name}: {path} is missing. Install the bundle again.")
        if file.stat().st_size != entry.bytes:
            raise BundleError(f"{self.name}: {path} has another size than the manifest says. Install the bundle again.")
        try:
            data = file.read_bytes()
        except OSError as error:
            raise BundleError(f"{self.name}: {path} cannot be read ({error.strerror}).") from None
        if hash_of(data) != entry.sha256:
            raise BundleError(f"{self.name}: {path} was changed (checksum differs). Install the bundle again.")
        if path.lower().endswith(".onnx"):
            check_network(data, f"{self.name}: {path}")
        return data

    def arrays(self, path: str, **wanted: tuple[int | None, ...]) -> dict[str, NDArray[Any]]:
        """Arrays of an `.npz` by name, each of the shape `wanted` gives (None: any length).

        Pickled (object) arrays and missing, misshapen or non-finite ones raise BundleError.
        """
        found = _load_npz(self.read(path), f"{self.name}: {path}", frozenset(wanted))
        for key, shape in wanted.items():
            if key not in found:
                raise BundleError(f"{self.name}: {path} has no array '{key}'. Install the bundle again.")
            got = found[key].shape
            if len(got) != len(shape) or any(w is not None and w != g for w, g in zip(shape, got, strict=True)):
                raise BundleError(f"{self.name}: {path}: '{key}' has the shape {got}, not {shape}.")
        return found

    def config(self, stage: str, kind: type[C]) -> C:
        """The settings of `stage` as its own Config; what is not set keeps that Config's default."""
        try:
            return TypeAdapter(kind).validate_python(self.manifest.settings.get(stage, {}))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join([stage, *(str(p) for p in first["loc"])])
            raise BundleError(f"{self.name}: setting {place}: {first['msg']}.") from None

    def verify(self) -> None:
        """Read and check every file and array; a file that the manifest does not list is an error too."""
        for path in self.manifest.files:
            data = self.read(path)
            if path.endswith(".npz"):
                _load_npz(data, f"{self.name}: {path}")
        listed = {MANIFEST, SIGNATURE, *self.manifest.files}
        for file in sorted(self.root.rglob("*")):
            member = file.relative_to(self.root).as_posix()
            if member not in listed and (file.is_symlink() or not file.is_dir()):
                raise BundleError(f"{self.name}: {member} does not belong to the bundle. Install it again.")


def write_bundle(root: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Subject:
    """Write `files` and a manifest (the given fields, with `format` and `files` filled in) below `root`."""
    for path, data in files.items():
        target = root / check_member(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    entries = {p: {"sha256": hash_of(d), "bytes": len(d)} for p, d in sorted(files.items())}
    text = json.dumps({"format": FORMAT, **manifest, "files": entries}, indent=1, ensure_ascii=False).encode()
    parse_manifest(text, root.name)
    (root / MANIFEST).write_bytes(text + b"\n")
    (root / SIGNATURE).unlink(missing_ok=True)  # it was of the manifest that stood here before
    return Subject.open(root)


def bundle_like(
    subject: Subject,
    root: Path,
    files: Mapping[str, bytes],
    *,
    without: tuple[str, ...] = (),
    fields: Mapping[str, Any] | None = None,
) -> Subject:
    """Write below `root` a bundle like `subject`, but for `files`, manifest `fields`, and paths that begin as one of
    `without`."""
    kept = {path: subject.read(path) for path in subject.manifest.files if not path.startswith(without)}
    manifest = subject.manifest.model_dump(exclude={"format", "files"})
    return write_bundle(root, {**manifest, **(fields or {})}, {**kept, **files})


def _read_head(root: Path, name: str, most_bytes: int) -> bytes:
    """The bytes of a file beside the listed ones, one more than `most_bytes` at most."""
    path = root / name
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"{root.name}: {name} is missing. Install the bundle again.")
    try:
        with path.open("rb") as file:
            return file.read(most_bytes + 1)
    except OSError as error:
        raise BundleError(f"{root.name}: {name} cannot be read ({error.strerror}).") from None


def _load_npz(data: bytes, where: str, wanted: frozenset[str] | None = None) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` that are `wanted` (None: all); BundleError unless they are finite numbers."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(info.file_size for info in archive.infolist()) > MAX_ARRAY_BYTES:
                raise BundleError(f"{where} holds arrays of an absurd size. Do not use this bundle.")
        with np.load(io.BytesIO(data), allow_pickle=False) as npz:
            found = {key: npz[key] for key in npz.files if wanted is None or key in wanted}
    except UNREADABLE_NPZ as error:
        raise BundleError(f"{where} cannot be read ({error}). Do not use this bundle.") from None
    for key, array in found.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise BundleError(f"{where}: '{key}' is not an array of numbers. Do not use this bundle.")
        if not np.isfinite(array).all():
            raise BundleError(f"{where}: '{key}' holds values that are not finite.")
    return found


def npz_bytes(**arrays: NDArray[Any]) -> bytes:
    """An `.npz` (compressed, no pickle) of the arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()

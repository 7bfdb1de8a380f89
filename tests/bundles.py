"""Small bundles and archives for tests, sound and unsound ones."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lsp_cam.manifest import MANIFEST
from lsp_cam.subject import Subject, npz_bytes, write_bundle

Member = tuple[str | zipfile.ZipInfo, bytes]


def manifest_fields(name: str) -> dict[str, Any]:
    """What `write_bundle` takes."""
    return {
        "name": name,
        "title": f"Test subject {name}",
        "licence": "CC0-1.0",
        "consent": {"shows": "nobody", "statement": "drawn by a program", "how": "nobody"},
        "provenance": "made by a test",
        "created": "2026-01-01",
        "settings": {"mouth": {"look_ahead": 18}},
    }


def tiny_files() -> dict[str, bytes]:
    """A few files of every kind, and no networks."""
    numbers = np.random.default_rng(0)
    return {
        "manifold.npz": npz_bytes(feature_base=numbers.normal(size=(20, 8)).astype(np.float32)),
        "camera.npz": npz_bytes(scale=np.float32(1.0) * np.ones(()), intrinsics=np.eye(3, dtype=np.float32)),
        "speech.bin": numbers.bytes(3000),
        "candidates/0.png": numbers.bytes(500),
        "preview.jpg": numbers.bytes(100),
    }


def tiny_bundle(root: Path, name: str = "tiny", files: Mapping[str, bytes] | None = None) -> Subject:
    """A small, valid bundle in the folder `root`/`name`, without networks."""
    return write_bundle(root / name, manifest_fields(name), tiny_files() if files is None else files)


def members_of(subject: Subject) -> list[Member]:
    """What its archive holds."""
    return [(p, (subject.root / p).read_bytes()) for p in (MANIFEST, *sorted(subject.manifest.files))]


def write_zip(file: Path, members: list[Member], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of the members, taken as they are."""
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file


def forge(subject: Subject, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest's JSON behind the bundle's back."""
    path = subject.root / MANIFEST
    raw = json.loads(path.read_bytes())
    edit(raw)
    path.write_text(json.dumps(raw))


def entry(data: bytes) -> dict[str, Any]:
    """A file as the manifest lists it."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def state_of(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` but the store's own lock."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"
    }

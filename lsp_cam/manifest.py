"""The bundle's manifest: what it says, what its files must be and may be called (`subject.py` has what they are)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import BundleError
from .trust.consent import Consent
from .trust.signing import SIGNATURE

FORMAT = 1
MANIFEST = "manifest.json"
MAX_FILES = 64
MAX_FILE_BYTES = 1 << 30
MAX_BUNDLE_BYTES = 1 << 31
MAX_MANIFEST_BYTES = 1 << 20
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# Plain ASCII: two names that look alike, or that one file system takes for the same, cannot be told apart.
PART_PATTERN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*")
DEVICE_PATTERN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class FileEntry(BaseModel):
    """What a file must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0, le=MAX_FILE_BYTES)]


class Compacted(BaseModel):
    """What a compact form was made of, and what it costs (`compact.making`).

    `of`: the hash of the whole subject's manifest; `bits`: of a weight; the pictures' PSNR against the whole one's, dB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    of: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bits: Annotated[int, Field(ge=1, le=8)]
    psnr_db: Annotated[float, Field(ge=0, le=99)]
    worst_psnr_db: Annotated[float, Field(ge=0, le=99)]

    def line(self) -> tuple[str, str]:
        """It as a heading and a text."""
        cost = f"pictures {self.psnr_db} dB from the whole one's (worst {self.worst_psnr_db})"
        return "compact", f"{cost}, weights of {self.bits} bits; made of {self.of[:16]}"


class Manifest(BaseModel):
    """`manifest.json`. `compacted`: of a compact form alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int
    name: str
    title: str
    licence: str
    consent: Consent
    provenance: str
    created: str
    settings: dict[str, dict[str, Any]]
    files: Annotated[dict[str, FileEntry], Field(max_length=MAX_FILES)]
    compacted: Compacted | None = None


def hash_of(data: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def check_name(name: str) -> str:
    """`name` itself; BundleError unless it is lower-case letters, digits, `-`, `_`, at most 40."""
    if not NAME_PATTERN.fullmatch(name):
        raise BundleError(
            f"'{name}' is no name for a subject. Use up to 40 lower-case letters, digits, '-' and '_', "
            "beginning with a letter or digit."
        )
    return name


def check_member(path: str) -> str:
    """`path` itself; BundleError unless it is a plain relative path inside a bundle, on any system."""
    parts = path.split("/")
    plain = len(parts) <= 2 and all(len(p) <= 64 and PART_PATTERN.fullmatch(p) for p in parts)
    if not plain or any(DEVICE_PATTERN.fullmatch(p) for p in parts):
        raise BundleError(f"The bundle names '{path}', which is not a plain path inside it. Do not use this bundle.")
    return path


def check_members(files: Mapping[str, FileEntry], where: str) -> None:
    """BundleError unless the paths are plain, differ on every file system, and are of a bearable size together."""
    names = [check_member(path).lower() for path in files]
    folders = {name.split("/")[0] for name in names if "/" in name}
    if len(set(names)) < len(names) or folders & set(names) or {MANIFEST, SIGNATURE} & set(names):
        raise BundleError(f"{where}: {MANIFEST} names the same file twice. Do not use this bundle.")
    total = sum(entry.bytes for entry in files.values())
    if total > MAX_BUNDLE_BYTES:
        raise BundleError(f"{where}: absurdly large ({total} bytes). Do not use this bundle.")


def parse_manifest(text: bytes, where: str) -> Manifest:
    """The manifest from its JSON; `where` names the bundle in messages."""
    if len(text) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{where}: {MANIFEST} is absurdly large. Get the bundle again.")
    try:
        raw = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        found = raw.get("format") if isinstance(raw, dict) else None
        if isinstance(found, int) and found > FORMAT:
            raise BundleError(
                f"{where}: made for a newer lsp-cam (bundle format {found}, this one reads {FORMAT}). Upgrade lsp-cam."
            )
        manifest = Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise BundleError(f"{where}: {MANIFEST} is not valid: {place}: {first['msg']}. Get the bundle again.") from None
    except (ValueError, RecursionError):
        raise BundleError(f"{where}: {MANIFEST} is damaged (not JSON). Get the bundle again.") from None
    if manifest.format != FORMAT:
        raise BundleError(f"{where}: unknown bundle format {manifest.format}; this lsp-cam reads {FORMAT}.")
    check_name(manifest.name)
    check_members(manifest.files, where)
    return manifest


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")

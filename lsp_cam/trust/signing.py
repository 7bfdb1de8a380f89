"""Signed bundles: Ed25519 over the bytes of the manifest, which holds the checksum of every other file.

    signature.json   {"key": the signer's public key, "signature": 64 bytes}, both as hexadecimal digits

A signature says who made a bundle, not that they may show the person: that is the consent's to say.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import BundleError, UsageError
from ..folders import config_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE = "signature.json"
MAX_SIGNATURE_BYTES = 1024
# What is signed begins with this, so that a signature made for anything else never fits a bundle.
CONTEXT = b"lsp-cam bundle manifest 1\n"
# Points of Ed25519 whose order is at most 8 (y, without the sign of x): they are nobody's keys, and what anybody makes
# up is, for a part of all messages, a valid signature by them.
SMALL = frozenset(
    bytes.fromhex(y)
    for y in (
        "00" * 32, "01" + "00" * 31, "ec" + "ff" * 30 + "7f", "ed" + "ff" * 30 + "7f", "ee" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)  # fmt: skip
FINGERPRINT_PATTERN = re.compile(r"([0-9a-f]{4}-){7}[0-9a-f]{4}")


class Signature(BaseModel):
    """`signature.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


def fingerprint(public_key: bytes) -> str:
    """What people compare: 128 bits of the key's SHA-256, in eight groups."""
    digits = hashlib.sha256(public_key).hexdigest()
    return "-".join(digits[at : at + 4] for at in range(0, 32, 4))


def check_signature(manifest: bytes, signature: bytes, where: str) -> str:
    """The fingerprint of whoever signed the `manifest`; BundleError if the signature is not of these bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        found = Signature.model_validate_json(signature)
        public = bytes.fromhex(found.key)
        if public[:31] + bytes([public[31] & 0x7F]) in SMALL:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(found.signature), CONTEXT + manifest)
    except (ValidationError, ValueError):
        raise BundleError(f"{where}: {SIGNATURE} is damaged. Get the bundle again.") from None
    except InvalidSignature:
        raise BundleError(
            f"{where}: the manifest was changed after it was signed (its consent, its settings or its files). "
            "Do not use this bundle; get it again from its maker."
        ) from None
    return fingerprint(public)


def sign_manifest(manifest: bytes, key: Ed25519PrivateKey) -> bytes:
    """The bytes of `signature.json` for the bytes of a manifest."""
    signature = key.sign(CONTEXT + manifest).hex()
    return Signature(key=key.public_key().public_bytes_raw().hex(), signature=signature).model_dump_json().encode()


def key_file() -> Path:
    """Where the user's own signing key lies; it need not exist."""
    return config_file().parent / "signing.key"


def own_key(path: Path | None = None) -> Ed25519PrivateKey:
    """The user's signing key, made at first use and readable by the user alone. UsageError if it cannot be had."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = path or key_file()
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError) as error:
        raise UsageError(f"The signing key {path} cannot be used ({error}). Restore it, or move it away.") from None


def own_fingerprint(key: Ed25519PrivateKey) -> str:
    """What others see of `key`."""
    return fingerprint(key.public_key().public_bytes_raw())

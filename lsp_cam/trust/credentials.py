"""Content credentials (C2PA) on video files: a signed claim, in the file, of what made it and whom it shows.

The signer is a certificate that the user's own machine makes once. Verifiers (c2patool, say) find such a file valid,
and any change to it, and say that they do not know the signer. Nothing is fetched and no time is asked of anybody.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from .. import __version__
from ..errors import DeviceError, UsageError
from ..folders import config_file
from ..subject import Subject

TOOL = "lsp-cam"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
SUBJECT_LABEL = "org.lsp-cam.subject"
MIME_OF = {".mp4": "video/mp4", ".mov": "video/quicktime"}
VALID_DAYS = 3650
OFFLINE = {"verify": {"remote_manifest_fetch": False, "ocsp_fetch": False}}
UNKNOWN_SIGNER = "signingCredential.untrusted"


@dataclass(frozen=True)
class Credentials:
    """What a file says of itself. `state`: there are none, they hold, or the file was changed since.

    `tool`, `source_type`, `subject` (name) and `signer` are what is claimed; None where nothing is.
    """

    state: Literal["none", "valid", "broken"]
    tool: str | None = None
    source_type: str | None = None
    subject: str | None = None
    signer: str | None = None


class Seal:
    """Puts credentials that name `subject` on finished files."""

    def __init__(self, subject: Subject, folder: Path | None = None) -> None:
        """`folder`: where the user's certificate lies, or is made."""
        self._subject = subject
        self._folder = folder or config_file().parent / "credentials"

    def __call__(self, source: Path, target: Path, suffix: str) -> bool:
        """Write a copy of `source` with credentials as `target`; False, and nothing, for files that cannot hold them.

        `suffix`: the kind of file. DeviceError if it fails.
        """
        import c2pa

        if suffix.lower() not in MIME_OF:
            return False
        chain, key = own_certificate(self._folder)
        try:
            signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, key, None))
            builder = c2pa.Builder(json.dumps(self._claim()))
            with source.open("rb") as unsigned, target.open("w+b") as signed:
                builder.sign(signer, MIME_OF[suffix.lower()], unsigned, signed)
        except (c2pa.C2paError, OSError) as error:
            target.unlink(missing_ok=True)
            raise DeviceError(
                f"The content credentials cannot be added ({error}). Make room, or add --no-credentials."
            ) from None
        return True

    def _claim(self) -> dict[str, Any]:
        tool, manifest = {"name": TOOL, "version": __version__}, self._subject.manifest
        made = {"action": "c2pa.created", "digitalSourceType": SOURCE_TYPE, "softwareAgent": tool}
        shown = {"name": manifest.name, "title": manifest.title, "shows": manifest.consent.shows}
        return {
            "claim_generator_info": [tool],
            "title": f"Speech rendered as {manifest.title}",
            "assertions": [
                {"label": "c2pa.actions.v2", "data": {"actions": [made]}},
                {"label": SUBJECT_LABEL, "data": {**shown, "consent": manifest.consent.how}},
            ],
        }


def read_credentials(path: Path) -> Credentials:
    """The credentials of a file, checked against it; nothing is fetched. UsageError if it cannot be read."""
    import c2pa

    if path.suffix.lower() not in MIME_OF:
        return Credentials("none")
    try:
        with path.open("rb") as file, c2pa.Context(c2pa.Settings.from_dict(OFFLINE)) as context:
            reader = c2pa.Reader(MIME_OF[path.suffix.lower()], file, context=context)
            told, state = json.loads(reader.json()), reader.get_validation_state()
    except c2pa.C2paError.ManifestNotFound:
        return Credentials("none")
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from None
    except (c2pa.C2paError, ValueError):
        return Credentials("broken")
    manifest = told.get("manifests", {}).get(told.get("active_manifest"), {})
    data = {item.get("label"): item.get("data") or {} for item in manifest.get("assertions", [])}
    actions = data.get("c2pa.actions.v2", {}).get("actions", [{}])
    return Credentials(
        "valid" if state in ("Valid", "Trusted") else "broken",
        tool=next((str(tool.get("name")) for tool in manifest.get("claim_generator_info", [])), None),
        source_type=next((str(a["digitalSourceType"]) for a in actions if "digitalSourceType" in a), None),
        subject=data.get(SUBJECT_LABEL, {}).get("name"),
        signer=(manifest.get("signature_info") or {}).get("common_name"),
    )


def own_certificate(folder: Path) -> tuple[bytes, bytes]:
    """The user's certificate chain and its key, both PEM; made at first use, the key readable by the user alone."""
    chain, key = folder / "chain.pem", folder / "key.pem"
    try:
        if not (chain.exists() and key.exists()):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for path, data in zip((chain, key), _made_certificate(), strict=True):
                path.unlink(missing_ok=True)
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)
        return chain.read_bytes(), key.read_bytes()
    except OSError as error:
        raise UsageError(f"The certificate in {folder} cannot be used ({error}). Make the folder writable.") from None


def _made_certificate() -> tuple[bytes, bytes]:
    """A root that signs one certificate and is then forgotten, and that certificate's key (ECDSA, P-256)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _certificate("lsp-cam root of one machine", root_key, "lsp-cam root of one machine", root_key, is_root=True)
    leaf = _certificate("lsp-cam on one machine", key, "lsp-cam root of one machine", root_key, is_root=False)
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return leaf.public_bytes(pem) + root.public_bytes(pem), secret


def _certificate(name: str, key: Any, issuer: str, issuer_key: Any, *, is_root: bool) -> Any:
    """With the extensions that C2PA asks of a signer (and of a root)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def called(common: str) -> x509.Name:
        parts = {NameOID.ORGANIZATION_NAME: TOOL, NameOID.COMMON_NAME: common}
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts.items()])

    uses = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    usage = x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **uses)
    now, public, issued_by = datetime.now(UTC), key.public_key(), issuer_key.public_key()
    made = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=is_root, path_length=0 if is_root else None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issued_by), critical=False)
    )
    if not is_root:
        purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        made = made.add_extension(purposes, critical=False)
    return made.sign(issuer_key, hashes.SHA256())

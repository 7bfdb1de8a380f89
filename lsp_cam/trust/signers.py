"""Whom the user trusts: the signers that are known, and which of them each subject belongs to.

As with SSH's known hosts, who signs a subject first is believed, and shown; from then on it must be the same one.
"""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import SignerError, UsageError
from ..folders import config_file
from .signing import FINGERPRINT_PATTERN


class Signer(BaseModel):
    """`label`: what the user calls them. `since`: when they were first believed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    label: str
    since: str


class Known(BaseModel):
    """What is written down: signers by fingerprint, and the fingerprint that each subject is bound to."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    signers: dict[str, Signer] = {}
    subjects: dict[str, str] = {}


class Signers:
    """The file of known signers; it need not exist."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or config_file().parent / "trusted.json"

    def known(self) -> Known:
        """What is written down; UsageError if the file is damaged."""
        try:
            return Known.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Known()
        except (OSError, ValidationError) as error:
            reason = str(error).splitlines()[0]
            raise UsageError(
                f"{self.path} cannot be read ({reason}). Correct it, or delete it to begin anew."
            ) from None

    def add(self, fingerprint: str, label: str = "") -> None:
        """Believe a signer; UsageError if that is no fingerprint."""
        fingerprint = _checked(fingerprint)
        known = self.known()
        since = known.signers[fingerprint].since if fingerprint in known.signers else _now()
        signer = Signer(label=label, since=since)
        self._write(known.model_copy(update={"signers": {**known.signers, fingerprint: signer}}))

    def remove(self, fingerprint: str) -> list[str]:
        """Forget a signer; gives the subjects that were bound to them, which anybody may sign from now on."""
        fingerprint, known = _checked(fingerprint), self.known()
        if fingerprint not in known.signers:
            raise UsageError(f"No signer {fingerprint} is known. Known signers: lsp-cam trust list")
        freed = sorted(name for name, bound in known.subjects.items() if bound == fingerprint)
        signers = {key: signer for key, signer in known.signers.items() if key != fingerprint}
        subjects = {name: bound for name, bound in known.subjects.items() if bound != fingerprint}
        self._write(Known(signers=signers, subjects=subjects))
        return freed

    def check(self, name: str, signer: str | None) -> None:
        """SignerError if the subject `name` is bound to somebody else than `signer` (None: it is not signed)."""
        bound = self.known().subjects.get(name)
        if bound is not None and bound != signer:
            now = f"this one by {signer}" if signer else "this one is not signed at all"
            raise SignerError(
                f"'{name}' was signed by {self.called(bound)} when you first used it; {now}. Somebody may have put "
                f"another bundle in its place. If you know that its maker has a new key: lsp-cam trust remove {bound}"
            )

    def meet(self, name: str, signer: str | None) -> str:
        """`check`, then bind `name` to its signer if it is not yet; a sentence about it for the user."""
        self.check(name, signer)
        if signer is None:
            return "Not signed: nobody vouches for what the bundle says."
        known = self.known()
        if name in known.subjects:
            return f"Signed by {self.called(signer)}."
        new = signer not in known.signers
        if new:
            self.add(signer)
            known = self.known()
        self._write(known.model_copy(update={"subjects": {**known.subjects, name: signer}}))
        how = "whom you meet for the first time. Compare this with what its maker says" if new else "whom you know"
        return f"Signed by {self.called(signer)}, {how}; from now on '{name}' must be signed by them."

    def called(self, fingerprint: str) -> str:
        """The fingerprint, with the user's name for it."""
        signer = self.known().signers.get(fingerprint)
        return f"{fingerprint} ({signer.label})" if signer and signer.label else fingerprint

    def _write(self, known: Known) -> None:
        """Replace the file at once; mkstemp makes it readable by the user only."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}-")
            with open(handle, "w", encoding="utf-8") as file:
                json.dump(known.model_dump(), file, indent=1)
            os.replace(temporary, self.path)
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written ({error.strerror}). Make it writable.") from None


def _checked(fingerprint: str) -> str:
    plain = fingerprint.strip().lower()
    if not FINGERPRINT_PATTERN.fullmatch(plain):
        raise UsageError(f"'{fingerprint}' is no fingerprint. It looks like 0123-4567-89ab-cdef-0123-4567-89ab-cdef.")
    return plain


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

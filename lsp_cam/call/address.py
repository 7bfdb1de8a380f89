"""The address of somebody who waits at a rendezvous: `http://host:port/#secret`.

What follows the `#` never reaches the rendezvous. Where the two leave their codes is derived from it, and the key that
seals them: whoever runs the rendezvous can neither read nor exchange them, and guesses no call.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..errors import CallError, UsageError
from .codes import Code, Kind, read_code

SECRET_BYTES = 16
NONCE_BYTES = 12
MAX_SEALED = 1024
HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


@dataclass(frozen=True, slots=True)
class Address:
    """`server`: the rendezvous, like `http://host:8470`; `secret`: 16 bytes that the two sides share."""

    server: str
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(SECRET_BYTES), repr=False)

    def text(self) -> str:
        """As it is passed on."""
        return f"{self.server}/#{base64.urlsafe_b64encode(self.secret).decode().rstrip('=')}"

    @property
    def room(self) -> str:
        """Where the two leave their codes: 32 hexadecimal digits."""
        return self._derived(b"room", 16).hex()

    def seal(self, code: Code) -> bytes:
        """A code that only the other side can read, and nobody can change."""
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        nonce = secrets.token_bytes(NONCE_BYTES)
        key = ChaCha20Poly1305(self._derived(b"seal", 32))
        return nonce + key.encrypt(nonce, code.text().encode(), code.kind.encode())

    def open(self, sealed: bytes, kind: Kind) -> Code:
        """The code in `sealed`. CallError if it is not the other side's."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        try:
            if not NONCE_BYTES < len(sealed) <= MAX_SEALED:
                raise InvalidTag
            key = ChaCha20Poly1305(self._derived(b"seal", 32))
            text = key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], kind.encode())
        except InvalidTag:
            raise CallError("Somebody without the secret left something at the rendezvous. It was not used.") from None
        return read_code(text.decode("ascii", "replace"), kind)

    def _derived(self, purpose: bytes, size: int) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), size, None, b"lsp-cam call " + purpose).derive(self.secret)


def read_address(text: str) -> Address:
    """The address in `text`. UsageError, saying how one looks, if it is none."""
    server, _, secret = text.strip().partition("#")
    try:
        found = base64.b64decode(secret + "==", b"-_", validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != SECRET_BYTES:
        raise UsageError("The address is not whole: it ends in # and 22 characters. Copy all of it.")
    return Address(check_server(server), found)


def check_server(text: str) -> str:
    """A rendezvous as `http://host:port` or `https://host`. UsageError if it is none."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = f":{parts.port}" if parts.port is not None else ""
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    except ValueError:
        parts, port, host = urlsplit(""), "", ""
    if parts.scheme not in ("http", "https") or not HOST.fullmatch(host) or parts.path not in ("", "/") or parts.query:
        raise UsageError(f"'{text[:80]}' is no rendezvous. One looks like http://host:8470 (see `lsp-cam call serve`).")
    return f"{parts.scheme}://{host}{port}"

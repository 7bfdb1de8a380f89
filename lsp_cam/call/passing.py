"""What two sides say to each other about a subject: offered by hash, asked for piece by piece, taken or refused.

Messages are JSON text; pieces are bytes: the hash of their file, where they begin, and the data, deflated where that
helps. Pieces are asked for, so that whoever takes sets the pace and can go on where an earlier call broke off.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ..errors import CallError
from ..manifest import MAX_MANIFEST_BYTES
from ..trust.signing import MAX_SIGNATURE_BYTES

PIECE_BYTES = 1 << 14
WINDOW_BYTES = 1 << 18
"""Asked for at once."""
MAX_TEXT = 4096
MAX_PORTRAIT_BYTES = 1 << 26
_HEAD = struct.Struct(">32sQB")

Message = str | bytes
Tell = Callable[[Message], bool]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Offer(_Said):
    """A subject: `hash` and `bytes` of its manifest, and its signature file.

    `whole`: of a compact form, the hash of the manifest that it was made of.
    """

    kind: Literal["offer"] = "offer"
    hash: Hash
    bytes: Annotated[int, Field(gt=0, le=MAX_MANIFEST_BYTES)]
    signature: Annotated[str, Field(max_length=MAX_SIGNATURE_BYTES)] | None = None
    whole: Hash | None = None


class Want(_Said):
    """Send me `count` bytes of the file of this hash from `start` on."""

    kind: Literal["want"] = "want"
    hash: Hash
    start: Annotated[int, Field(ge=0, le=MAX_PORTRAIT_BYTES)]
    count: Annotated[int, Field(gt=0, le=WINDOW_BYTES)]


class Settled(_Said):
    """What became of an offer; `why` it was refused."""

    kind: Literal["settled"] = "settled"
    taken: bool
    why: Annotated[str, Field(max_length=1000)] = ""


_SAID: TypeAdapter[Offer | Want | Settled] = TypeAdapter(Annotated[Offer | Want | Settled, Field(discriminator="kind")])


def read_said(text: str) -> Offer | Want | Settled:
    """What a message says. CallError if it says nothing that is known."""
    if len(text) > MAX_TEXT:
        raise CallError("The other side sent a message that is too long.")
    try:
        return _SAID.validate_json(text)
    except ValidationError:
        raise CallError("The other side sent a message that is not understood.") from None


def piece(file: str, start: int, data: bytes) -> bytes:
    """A piece of the file whose hash is `file`."""
    packed = zlib.compress(data, 9)
    deflated = len(packed) < len(data)
    return _HEAD.pack(bytes.fromhex(file), start, deflated) + (packed if deflated else data)


def read_piece(message: bytes) -> tuple[str, int, bytes]:
    """The file's hash, where the piece begins, and its data. CallError if it is none, or larger than a piece."""
    if not _HEAD.size < len(message) <= _HEAD.size + PIECE_BYTES:
        raise CallError("The other side sent a piece of a wrong size.")
    file, start, deflated = _HEAD.unpack_from(message)
    data = message[_HEAD.size :]
    if deflated:
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(data, PIECE_BYTES)
        except zlib.error:
            raise CallError("The other side sent a damaged piece.") from None
        if not inflater.eof:
            raise CallError("The other side sent a piece of a wrong size.")
    return file.hex(), start, data

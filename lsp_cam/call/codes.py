"""What one side must know of the other to speak with it, as a code that fits into a chat message.

A code holds who one is (the fingerprint of a key made for this call), a user name and password for the checks of
the connection, and where one can be reached. What WebRTC's session descriptions say beyond that is the same in every
call, and is put around it again by `sdp`.

    LSP1-<base64url of: kind, name, password, fingerprint, addresses, checksum>
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Literal

from ..errors import CallError

PREFIX = "LSP1-"
MAX_CODE = 700
MAX_ADDRESSES = 8
MAX_SDP = 16_384
OPUS_TYPE = 96
HINTS = "minptime=10;useinbandfec=1;usedtx=1;stereo=0;sprop-stereo=0;maxaveragebitrate=24000"
"""What browsers are asked for: speech in mono, with error correction, and nothing in pauses."""

Kind = Literal["offer", "answer"]
KINDS: tuple[Kind, ...] = ("offer", "answer")
TYPES = ("host", "srflx", "relay")
PRIORITIES = {"host": 126, "srflx": 100, "relay": 0}
_ICE = re.compile(r"[A-Za-z0-9+/]+")
_PRINT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody can be reached by UDP. `kind`: the machine's own address, as seen from outside, or a relay's."""

    host: str
    port: int
    kind: str = "host"

    def line(self, number: int) -> str:
        """As a candidate of a session description."""
        priority = (PRIORITIES[self.kind] << 24) + ((65535 - number) << 8) + 255
        related = "" if self.kind == "host" else " raddr 0.0.0.0 rport 9"
        return f"candidate:{number} 1 udp {priority} {self.host} {self.port} typ {self.kind}{related}"


@dataclass(frozen=True, slots=True)
class Code:
    """See above. `fingerprint`: SHA-256 of the certificate, 32 bytes."""

    kind: Kind
    name: str
    password: str
    fingerprint: bytes
    places: tuple[Place, ...]

    def text(self) -> str:
        """The code to pass on."""
        body = bytearray([KINDS.index(self.kind), len(self.name), len(self.password)])
        body += self.name.encode() + self.password.encode() + self.fingerprint + bytes([len(self.places)])
        for place in self.places:
            address = ipaddress.ip_address(place.host).packed
            body += bytes([TYPES.index(place.kind) << 1 | (len(address) == 16)])
            body += address + struct.pack("!H", place.port)
        body += struct.pack("!H", zlib.crc32(body) & 0xFFFF)
        return PREFIX + base64.urlsafe_b64encode(bytes(body)).decode().rstrip("=")

    def sdp(self) -> str:
        """The session description: speech in Opus, and a channel for what else there is to say.

        It leaves open that more places follow, for then a connection is tried until somebody gives up: people who
        pass codes on take their time.
        """
        colons = ":".join(f"{byte:02X}" for byte in self.fingerprint)
        common = ["c=IN IP4 0.0.0.0", f"a=ice-ufrag:{self.name}", f"a=ice-pwd:{self.password}"]
        common += [f"a=fingerprint:sha-256 {colons}", f"a=setup:{'actpass' if self.kind == 'offer' else 'active'}"]
        common += [f"a={place.line(number)}" for number, place in enumerate(self.places, 1)]
        lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
        lines += [f"m=audio 9 UDP/TLS/RTP/SAVPF {OPUS_TYPE}", *common, "a=mid:0", "a=sendrecv", "a=rtcp-mux"]
        lines += [f"a=rtpmap:{OPUS_TYPE} opus/48000/2", f"a=fmtp:{OPUS_TYPE} {HINTS}"]
        lines += ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", *common, "a=mid:1"]
        lines += ["a=sctp-port:5000", "a=max-message-size:65536"]
        return "\r\n".join(lines) + "\r\n"


def read_code(text: str, wanted: Kind | None = None) -> Code:
    """The code in `text`, which may be wrapped and quoted as chats do. CallError, saying what to do, if it is none."""
    squeezed = re.sub(r"[\s>\"'`]+", "", text[: 4 * MAX_CODE])
    if not squeezed.startswith(PREFIX) or len(squeezed) > MAX_CODE:
        raise CallError(
            f"This is no code of a call: they begin with {PREFIX}. Copy all of it, from one side's terminal."
        )
    try:
        packed = squeezed[len(PREFIX) :]
        code = _parse(base64.b64decode(packed + "=" * (-len(packed) % 4), b"-_", validate=True))
    except (binascii.Error, ValueError, struct.error, IndexError):
        raise CallError("The code is damaged: a part of it is missing or changed. Copy all of it again.") from None
    if wanted is not None and code.kind != wanted:
        other = "an answer was asked for" if wanted == "answer" else "the first code of a call was asked for"
        raise CallError(f"This is the {code.kind} of a call, but {other}. Copy the other side's, not your own.")
    return code


def code_of(sdp: str, kind: Kind) -> Code:
    """What is particular in a session description. CallError if something is missing."""
    if len(sdp) > MAX_SDP:
        raise CallError("The session description is too long to be one of a call.")
    prints = re.findall(r"^a=fingerprint:sha-256 ([0-9A-Fa-f:]{95})\s*$", sdp, re.M)
    names = re.findall(r"^a=ice-ufrag:(\S+)\s*$", sdp, re.M)
    passwords = re.findall(r"^a=ice-pwd:(\S+)\s*$", sdp, re.M)
    found = re.findall(r"^a=candidate:\S+ 1 udp \d+ (\S+) (\d{1,5}) typ (host|srflx|relay)\b", sdp, re.M | re.I)
    if not (prints and names and passwords):
        raise CallError("The session description names neither key nor password. Start the call again.")
    places = dict.fromkeys(Place(h, int(p), t) for h, p, t in found if _is_address(h) and 0 < int(p) < 65536)
    fingerprint = bytes.fromhex(prints[0].replace(":", ""))
    return _checked(Code(kind, names[0], passwords[0], fingerprint, tuple(places)[:MAX_ADDRESSES]))


def _parse(body: bytes) -> Code:
    if struct.unpack("!H", body[-2:])[0] != zlib.crc32(body[:-2]) & 0xFFFF:
        raise ValueError("checksum")
    kind, name_bytes, password_bytes = KINDS[body[0]], body[1], body[2]
    at = 3 + name_bytes + password_bytes
    name, password = body[3 : 3 + name_bytes].decode("ascii"), body[3 + name_bytes : at].decode("ascii")
    fingerprint = body[at : at + _PRINT_BYTES]
    at += _PRINT_BYTES
    count, at = body[at], at + 1
    places = []
    for _ in range(count):
        size = 16 if body[at] & 1 else 4
        address = ipaddress.ip_address(body[at + 1 : at + 1 + size])
        (port,) = struct.unpack_from("!H", body, at + 1 + size)
        places.append(Place(str(address), port, TYPES[body[at] >> 1]))
        at += size + 3
    if at != len(body) - 2:
        raise ValueError("length")
    return _checked(Code(kind, name, password, bytes(fingerprint), tuple(places)))


def _checked(code: Code) -> Code:
    """ValueError unless its parts are as the standards want them (RFC 8839)."""
    sound = (
        4 <= len(code.name) <= 64 and 22 <= len(code.password) <= 128 and len(code.fingerprint) == _PRINT_BYTES
        and _ICE.fullmatch(code.name) and _ICE.fullmatch(code.password)
        and len(code.places) <= MAX_ADDRESSES and all(_is_address(p.host) and p.port for p in code.places)
    )  # fmt: skip
    if not sound:
        raise ValueError("not as RFC 8839 has it")
    return code


def _is_address(host: str) -> bool:
    """Whether it is an address that somebody can be reached at: no name, no group, not everybody."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return not (address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255")

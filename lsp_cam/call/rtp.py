"""Plain RTP over UDP (RFC 3550; Opus as in RFC 7587): for a network of one's own, and for scripts.

Nothing is encrypted, and whoever can send to the port can speak. There is no channel for messages, hence no portrait
travels, and nobody tells what was lost. Where a head is travels beside the speech, as a payload type of its own.
"""

from __future__ import annotations

import logging
import secrets
import socket
import struct
import threading
import time
from urllib.parse import urlsplit

from ..errors import CallError, UsageError
from .codes import OPUS_TYPE
from .line import OnMotion, OnVoice, Traffic, unmoved
from .opus import MAX_PACKET_BYTES
from .playout import Voiced

LOG = logging.getLogger(__name__)
SCHEME = "rtp://"
PORT = 5004
POLL_S = 0.1
SILENT_S = 30.0
_HEAD = struct.Struct(">BBHII")
_VERSION, _DYNAMIC = 2, range(96, 127)
MOTION_TYPE = 127
"""The payload type of packets of `motion`, a stream of its own; speech is what has another dynamic one."""
_MAX_DATAGRAM = 2048

Place = tuple[str, int]


class Rtp:
    """An open line (see `Line`). `to`: whom to send to; None: whoever sends first, to `bound` (port 0: any).

    Only who sent first is heard. It ends half a minute after their last packet. CallError if the port cannot be used.
    """

    def __init__(self, on_voice: OnVoice, bound: Place, to: Place | None = None, on_motion: OnMotion = unmoved) -> None:
        self.traffic = Traffic()
        self.loss = 0.0
        self._on_voice, self._on_motion, self._to = on_voice, on_motion, to
        self._over = threading.Event()
        self._heard_s: float | None = None
        self._source: int | None = None  # who is heard, by number and by address
        self._from: Place | None = None
        self._sequence, self._own_source = secrets.randbelow(1 << 16), secrets.randbelow(1 << 32)
        self._motions = 0
        self._socket = _bound(bound, to)
        self._socket.settimeout(POLL_S)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._hear, name="rtp")
        self._thread.start()

    def connect(self, stop: threading.Event) -> None:
        """Wait until it is known whom to send to. CallError if `stop` is set before."""
        while self._to is None:
            if stop.wait(POLL_S):
                raise CallError("The call was ended before anybody spoke.")

    @property
    def is_open(self) -> bool:
        return not self._over.is_set()

    def send(self, payload: bytes, timestamp: int) -> None:
        if self._to is None or not self.is_open:
            return
        self.traffic.packets_out += 1
        self.traffic.bytes_out += len(payload)
        self._put(_HEAD.pack(_VERSION << 6, OPUS_TYPE, self._sequence, timestamp, self._own_source) + payload)
        self._sequence = (self._sequence + 1) % (1 << 16)

    def move(self, packet: bytes) -> None:
        if self._to is None or not self.is_open:
            return
        self.traffic.moved(packet)
        self._motions = (self._motions + 1) % (1 << 16)
        self._put(_HEAD.pack(_VERSION << 6, MOTION_TYPE, self._motions, 0, self._own_source ^ 1) + packet)

    def _put(self, datagram: bytes) -> None:
        assert self._to is not None
        try:
            self._socket.sendto(datagram, self._to)
        except OSError as error:  # no route just now
            LOG.info("a packet could not be sent: %s", error)

    def tell(self, message: str | bytes) -> bool:
        return False

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def describe(self) -> str:
        return "plain RTP: not encrypted"

    def _hear(self) -> None:
        while not self._over.is_set():
            if self._heard_s is not None and time.monotonic() - self._heard_s > SILENT_S:
                LOG.info("nothing has come for %.0f s; the call ends", SILENT_S)
                self._over.set()
            try:
                datagram, sender = self._socket.recvfrom(_MAX_DATAGRAM)
            except OSError:  # nothing came, or what was sent did not arrive
                continue
            if datagram[1:2] == bytes([MOTION_TYPE]) and datagram[:1] == bytes([_VERSION << 6]):
                if sender[:2] == self._from:  # who speaks
                    self._on_motion(datagram[_HEAD.size :])
                continue
            found = read_packet(datagram)
            if found is None or (self._heard_s is not None and (self._source, self._from) != (found[0], sender[:2])):
                continue
            self._source, self._from = found[0], sender[:2]
            self._to = self._to or self._from
            self._heard_s = found[1].arrived_s
            self.traffic.packets_in += 1
            self.traffic.bytes_in += len(found[1].payload)
            self._on_voice(found[1])


def _bound(place: Place, to: Place | None) -> socket.socket:
    """A socket at `place`; any port of ours where it is known whom to send to."""
    host, port = to or place
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.bind(("", 0) if to else place)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise CallError(f"{host}:{port} cannot be used ({error}). Choose another address or port.") from None
    return bound


def read_packet(datagram: bytes) -> tuple[int, Voiced] | None:
    """Who sent it (SSRC), and the packet of speech; None for what is none."""
    if len(datagram) <= _HEAD.size:
        return None
    first, kind, sequence, timestamp, source = _HEAD.unpack_from(datagram)
    if first >> 6 != _VERSION or kind & 0x7F not in _DYNAMIC:
        return None
    start, end = _HEAD.size + 4 * (first & 0x0F), len(datagram)
    if first & 0x10:  # an extension
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4], "big")
    if first & 0x20:  # padding
        end -= datagram[-1]
    payload = datagram[start:end]
    if not 0 < len(payload) <= MAX_PACKET_BYTES:
        return None
    return source, Voiced(sequence, timestamp, payload, time.monotonic())


def read_place(text: str) -> Place:
    """Host and port of `rtp://HOST:PORT`. UsageError if it is none."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port or PORT
    except ValueError:
        host, port = None, PORT
    if not host or not text.startswith(SCHEME) or parts.path not in ("", "/"):
        raise UsageError(f"'{text[:80]}' is no place for RTP. One looks like {SCHEME}192.168.0.7:{PORT}.")
    return host, port

"""A call over any pair of byte streams: standard input and output, hence ssh, a pipe, a serial line.

    "LS" | size (2) | kind (1) | body (size) | CRC-16 of kind and body (2)

What does not agree with its checksum is passed over up to the next "LS": a line that spoils bytes costs packets, not
the call. Messages travel in short parts between the packets of speech: on a slow line nobody waits for them. Nothing
is encrypted here: the line itself keeps a call private, or does not.
"""

from __future__ import annotations

import binascii
import logging
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from ..errors import CallError
from .line import OnMotion, OnVoice, Traffic, unmoved
from .opus import MAX_PACKET_BYTES
from .passing import Message
from .playout import Voiced

LOG = logging.getLogger(__name__)
MARK = b"LS"
VOICE, TEXT, DATA, MORE, LOSS, BYE, MOTION = range(7)
"""MORE is a part of a message that TEXT or DATA ends; LOSS tells the share of packets missed, of 255."""
PART_BYTES = 240
MAX_MESSAGE = 1 << 16
FULL_BYTES = 1 << 16
QUEUED = 50
READ_BYTES = 4096
BEAT_S = 1.0
SILENT_S = 30.0
CLOSE_S = 2.0
_HEAD, _VOICE, _CRC = struct.Struct(">2sHB"), struct.Struct(">HI"), struct.Struct(">H")
_BODY = max(MAX_PACKET_BYTES + _VOICE.size, PART_BYTES)
_SEQUENCES = 1 << 16


class Framed:
    """An open line (see `Line`) that reads and writes two file descriptors; it closes them.

    `on_voice`, `on_message` and `on_motion` are called on the reader's thread, and must not wait.
    """

    def __init__(
        self, reader: int, writer: int, on_voice: OnVoice, on_message: Callable[[Message], None],
        on_motion: OnMotion = unmoved,
    ) -> None:  # fmt: skip
        self.traffic = Traffic()
        self.loss = 0.0
        self._reader, self._writer = reader, writer
        self._on_voice, self._on_message, self._on_motion = on_voice, on_message, on_motion
        self._over = threading.Event()
        self._change = threading.Condition()
        self._speech: deque[bytes] = deque(maxlen=QUEUED)
        self._parts: deque[bytes] = deque()
        self._pending_bytes = 0
        self._sequence = 0
        self._counted: list[int] = []
        self._message = bytearray()
        self._heard_s: float | None = None
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)  # a read of a terminal cannot be broken off
            for name, work in (("line in", self._hear), ("line out", self._write))
        ]
        for thread in self._threads:
            thread.start()

    def connect(self, stop: threading.Event) -> None:
        """Wait until the other side is there. CallError if the line ends before, or `stop` is set."""
        while self._heard_s is None:
            if not self.is_open or stop.wait(0.05):
                raise CallError("The line ended before anybody was there. Start both sides, joined to one another.")

    @property
    def is_open(self) -> bool:
        return not self._over.is_set()

    def send(self, payload: bytes, timestamp: int) -> None:
        with self._change:
            self.traffic.packets_out += 1
            self.traffic.bytes_out += len(payload)
            self._speech.append(frame(VOICE, _VOICE.pack(self._sequence, timestamp) + payload))
            self._sequence = (self._sequence + 1) % _SEQUENCES
            self._change.notify()

    def move(self, packet: bytes) -> None:
        with self._change:
            self.traffic.moved(packet)
            self._speech.append(frame(MOTION, packet))
            self._change.notify()

    def tell(self, message: Message) -> bool:
        """Send a message; False while so much waits to be sent that it should be tried again later."""
        data = message.encode() if isinstance(message, str) else message
        with self._change:
            if not self.is_open or self._pending_bytes > FULL_BYTES:
                return False
            ends = TEXT if isinstance(message, str) else DATA
            for start in range(0, max(len(data), 1), PART_BYTES):
                last = start + PART_BYTES >= len(data)
                self._parts.append(frame(ends if last else MORE, data[start : start + PART_BYTES]))
            self._pending_bytes += len(data)
            self._change.notify()
        return True

    def close(self) -> None:
        with self._change:
            if self.is_open:
                self._speech.append(frame(BYE, b""))
            self._over.set()
            self._change.notify()
        self._threads[1].join(CLOSE_S)

    def describe(self) -> str:
        return "standard input and output"

    def _write(self) -> None:
        """Speech first, then a part of a message; a beat when there is neither."""
        beat_s = time.monotonic()
        try:
            while True:
                with self._change:
                    if not self._speech and not self._parts and self.is_open:
                        self._change.wait(BEAT_S)
                    over = not self.is_open or self._is_silent()
                    out = self._speech.popleft() if self._speech else self._parts.popleft() if self._parts else b""
                    if not self._speech and not self._parts:
                        self._pending_bytes = 0
                if time.monotonic() - beat_s > BEAT_S:
                    beat_s = time.monotonic()
                    out += frame(LOSS, bytes([self._missed()]))
                while out:
                    out = out[os.write(self._writer, out) :]
                if over and not self._speech:
                    return
        except OSError as error:  # the other side's program is gone
            LOG.info("the line takes no more: %s", error)
        finally:
            self._over.set()
            os.close(self._writer)

    def _is_silent(self) -> bool:
        """Whether the other side was there, and is no more; it says something every second."""
        return self._heard_s is not None and time.monotonic() - self._heard_s > SILENT_S

    def _hear(self) -> None:
        try:
            for kind, body in frames(self._reader):
                self._heard_s = time.monotonic()
                if kind == BYE or not self.is_open:
                    return
                self._take(kind, body)
        except OSError as error:
            LOG.info("the line gives no more: %s", error)
        finally:
            with self._change:
                self._over.set()
                self._change.notify()
            os.close(self._reader)

    def _take(self, kind: int, body: bytes) -> None:
        if kind == VOICE and len(body) > _VOICE.size:
            sequence, timestamp = _VOICE.unpack_from(body)
            payload = body[_VOICE.size :]
            self._counted.append(sequence)
            self.traffic.packets_in += 1
            self.traffic.bytes_in += len(payload)
            self._on_voice(Voiced(sequence, timestamp, payload, time.monotonic()))
        elif kind == MOTION:
            self._on_motion(body)
        elif kind == LOSS and len(body) == 1:
            self.loss = body[0] / 255
        elif kind in (MORE, TEXT, DATA):
            self._message += body[: MAX_MESSAGE + 1 - len(self._message)]
            if kind != MORE:
                message, self._message = bytes(self._message), bytearray()
                self._on_message(message.decode("utf-8", "replace") if kind == TEXT else message)

    def _missed(self) -> int:
        """The share of packets that did not come since this was last asked, of 255."""
        counted, self._counted = self._counted, []
        if len(counted) < 2:
            return 0
        due = (counted[-1] - counted[0]) % _SEQUENCES + 1
        return max(round(255 * (1 - len(counted) / due)), 0) if due < _SEQUENCES // 2 else 0


def frame(kind: int, body: bytes) -> bytes:
    """One frame, see above."""
    checked = bytes([kind]) + body
    return _HEAD.pack(MARK, len(body), kind) + body + _CRC.pack(binascii.crc_hqx(checked, 0xFFFF))


def frames(reader: int) -> Iterator[tuple[int, bytes]]:
    """Kind and body of every whole frame that comes, until the stream ends; what is none is passed over."""
    waiting = bytearray()
    while data := os.read(reader, READ_BYTES):
        waiting += data
        while (found := _first(waiting)) is not None:
            yield found


def _first(waiting: bytearray) -> tuple[int, bytes] | None:
    """Take the first whole frame out of `waiting`; None while it is not there."""
    while True:
        at = waiting.find(MARK)
        del waiting[: at if at >= 0 else max(len(waiting) - 1, 0)]
        if at < 0 or len(waiting) < _HEAD.size:
            return None
        _, size, kind = _HEAD.unpack_from(waiting)
        end = _HEAD.size + size + _CRC.size
        if size <= _BODY and len(waiting) < end:
            return None
        body = bytes(waiting[_HEAD.size : _HEAD.size + size])
        checked = binascii.crc_hqx(bytes([kind]) + body, 0xFFFF)
        if size <= _BODY and _CRC.unpack_from(waiting, _HEAD.size + size)[0] == checked:
            del waiting[:end]
            return kind, body
        del waiting[:1]  # it only looked like one

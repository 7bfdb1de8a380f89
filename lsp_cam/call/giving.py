"""Our own portrait, offered to the other side and sent as far as it is asked for."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

from ..errors import BundleError
from ..manifest import hash_of
from ..subject import Subject
from .passing import PIECE_BYTES, Offer, Settled, Tell, Want, piece

LOG = logging.getLogger(__name__)
POLL_S = 0.1
FULL_S = 0.02
MAX_WANTS = 16


class Giver:
    """Offers `subject` and sends what is asked of it. `hear` from any thread; `run` in one of its own."""

    def __init__(self, subject: Subject, tell: Tell, report: Callable[[str], None]) -> None:
        self._subject, self._tell, self._report = subject, tell, report
        self._wants: queue.Queue[Want] = queue.Queue(MAX_WANTS)
        self._paths = {entry.sha256: path for path, entry in subject.manifest.files.items()}
        self._hash = hash_of(subject.text)
        self._kept: tuple[str, bytes] = (self._hash, subject.text)
        self.sent_bytes = 0

    def hear(self, said: Want | Settled) -> None:
        """What the other side asks, or what became of the offer. Must not wait."""
        if isinstance(said, Settled):
            why = f" ({said.why})" if said.why else ""
            self._report("The other side sees your portrait." if said.taken else f"Your portrait was not taken{why}.")
            return
        try:
            self._wants.put_nowait(said)
        except queue.Full:
            LOG.warning("the other side asks for more than is sent: not heard")

    def run(self, stop: threading.Event) -> None:
        """Offer, and send, until `stop`."""
        signature, compacted = self._subject.signature, self._subject.manifest.compacted
        offer = Offer(
            hash=self._hash,
            bytes=len(self._subject.text),
            signature=signature.decode() if signature else None,
            whole=compacted.of if compacted else None,
        )
        self._send(offer.model_dump_json(exclude_none=True), stop)
        while not stop.is_set():
            try:
                want = self._wants.get(timeout=POLL_S)
            except queue.Empty:
                continue
            data = self._file(want.hash)
            for start in range(want.start, min(want.start + want.count, len(data)), PIECE_BYTES):
                end = min(start + PIECE_BYTES, want.start + want.count)
                self._send(piece(want.hash, start, data[start:end]), stop)

    def _file(self, file: str) -> bytes:
        """The file of that hash; nothing where the subject has none."""
        if self._kept[0] != file:
            self._kept = (file, self._read(file))
        return self._kept[1]

    def _read(self, file: str) -> bytes:
        path = self._paths.get(file)
        try:
            return self._subject.text if file == self._hash else self._subject.read(path) if path else b""
        except BundleError as error:
            LOG.error("our portrait cannot be sent: %s", error)
            return b""

    def _send(self, message: str | bytes, stop: threading.Event) -> None:
        """As soon as the line takes it: speech goes first."""
        while not self._tell(message):
            if stop.wait(FULL_S):
                return
        self.sent_bytes += len(message)

"""The other side's portrait: found by hash, or asked for, agreed to, fetched, checked, and kept in the store.

Nothing that comes is believed: every piece must be the one that was asked for, every file must have its hash, and the
whole goes through what `subject install` does before anybody is shown.
"""

from __future__ import annotations

import logging
import queue
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..atomic import translated
from ..errors import BundleError, CallError, LspCamError, SubjectError, UsageError
from ..manifest import MANIFEST, Manifest, hash_of, parse_manifest
from ..store import Store
from ..subject import Subject
from ..trust.consent import check_consent
from ..trust.signing import SIGNATURE, check_signature
from .passing import MAX_PORTRAIT_BYTES, PIECE_BYTES, WINDOW_BYTES, Offer, Settled, Tell, Want, read_piece

LOG = logging.getLogger(__name__)
POLL_S = 0.1
ARRIVING = "arriving"
WAITING = 2 * WINDOW_BYTES // PIECE_BYTES
MAX_OFFERS = 8
"""In one call; others are not heard."""


@dataclass(frozen=True)
class Proposal:
    """What is offered, for whoever decides: the manifest, who signed it, and how many bytes are to come."""

    manifest: Manifest
    signer: str | None
    missing_bytes: int

    def lines(self) -> list[tuple[str, str]]:
        """What must be known first, as pairs of a heading and a text."""
        return [
            ("portrait", f"{self.manifest.name}: {self.manifest.title}"),
            *self.manifest.consent.lines(),
            ("licence", self.manifest.licence),
            ("signed by", self.signer or "nobody"),
            *([self.manifest.compacted.line()] if self.manifest.compacted else []),
            ("to fetch", f"{self.missing_bytes / 1e6:.1f} MB"),
        ]


class Taker:
    """Takes what the other side offers, if `agree` says so, and hands it to `show`.

    `hear_offer` and `hear_piece` from any thread; `run` in one of its own. `waived`: the user answers for a consent
    that it lacks.
    """

    def __init__(
        self, store: Store, tell: Tell, agree: Callable[[Proposal], bool], show: Callable[[Subject], None],
        report: Callable[[str], None], waived: bool = False,
    ) -> None:  # fmt: skip
        self._store, self._tell, self._agree, self._show = store, tell, agree, show
        self._report, self._waived = report, waived
        self._offers: queue.Queue[Offer] = queue.Queue(1)
        self._pieces: queue.Queue[bytes] = queue.Queue(WAITING)
        self._stop = threading.Event()
        self.heard_offers = 0
        self.fetched_bytes = 0

    def hear_offer(self, offer: Offer) -> None:
        """An offer; of a flood of them only the first few are looked at. Must not wait."""
        self.heard_offers += 1
        try:
            if self.heard_offers <= MAX_OFFERS:
                self._offers.put_nowait(offer)
        except queue.Full:
            LOG.warning("offers come faster than they are looked at: not heard")

    def hear_piece(self, message: bytes) -> None:
        """A piece of what was asked for. Must not wait."""
        try:
            self._pieces.put_nowait(message)
        except queue.Full:
            LOG.warning("more comes than was asked for: not heard")

    def run(self, stop: threading.Event) -> None:
        """Until `stop`. Whatever is wrong with an offer is reported; the call goes on."""
        self._stop = stop
        while not stop.is_set():
            try:
                offer = self._offers.get(timeout=POLL_S)
            except queue.Empty:
                continue
            try:
                self._show(self._find(offer.hash) or self._find(offer.whole) or self._take(offer))
                settled = Settled(taken=True)
            except LspCamError as error:
                if stop.is_set():
                    return
                LOG.warning("the other side's portrait: %s", error)
                self._report(f"The other side's portrait is not shown. {error}")
                settled = Settled(taken=False, why="refused")
            self._tell(settled.model_dump_json())

    def _find(self, manifest: str | None) -> Subject | None:
        """The subject whose manifest has that hash, if it is here already."""
        return next((s for s in self._store.subjects() if hash_of(s.text) == manifest), None)

    def _take(self, offer: Offer) -> Subject:
        place = self._store.home / ARRIVING / offer.hash
        try:
            with translated(place):
                return self._bring(offer, place)
        except (SubjectError, UsageError):
            shutil.rmtree(place, ignore_errors=True)  # refused; what merely broke off is kept
            raise

    def _bring(self, offer: Offer, place: Path) -> Subject:
        text = self._fetch(offer.hash, offer.bytes, place).read_bytes()
        manifest = parse_manifest(text, "The portrait")
        signature = offer.signature.encode() if offer.signature is not None else None
        signer = check_signature(text, signature, manifest.name) if signature is not None else None
        here = {entry.sha256: s.root / path for s in self._store.subjects() for path, entry in s.manifest.files.items()}
        self._check(manifest, signer)
        missing = sum(e.bytes for e in manifest.files.values() if e.sha256 not in here)
        if not self._agree(Proposal(manifest, signer, missing)):
            raise UsageError("It was not accepted (--accept accepts without asking).")
        self._forget_others(place)
        parts = {p: here.get(e.sha256) or self._fetch(e.sha256, e.bytes, place) for p, e in manifest.files.items()}
        subject = self._install(manifest, text, signature, parts)
        shutil.rmtree(place, ignore_errors=True)
        self._report(self._store.signers.meet(subject.name, subject.signer))
        return subject

    def _check(self, manifest: Manifest, signer: str | None) -> None:
        """Whether it may be shown, is of a bearable size, and takes nobody else's name."""
        total = sum(entry.bytes for entry in manifest.files.values())
        if total > MAX_PORTRAIT_BYTES:
            raise BundleError(f"It has {total >> 20} MiB; a call brings {MAX_PORTRAIT_BYTES >> 20} MiB at most.")
        check_consent(manifest.name, manifest.consent, "call", waived=self._waived)
        self._store.signers.check(manifest.name, signer)
        bound = self._store.signers.known().subjects.get(manifest.name)
        if any(s.name == manifest.name for s in self._store.subjects()) and (signer is None or bound != signer):
            raise SubjectError(
                f"You have another subject called '{manifest.name}', and nothing proves that this one is a newer "
                f"version of it. To make room: lsp-cam subject remove {manifest.name}"
            )

    def _install(self, manifest: Manifest, text: bytes, signature: bytes | None, parts: dict[str, Path]) -> Subject:
        """As `subject install` does: all of it is checked before any of it is there."""
        with self._store.incoming() as work:
            root = work / "bundle"
            root.mkdir(mode=0o700)
            for path, part in parts.items():
                (root / path).parent.mkdir(mode=0o700, exist_ok=True)
                shutil.copyfile(part, root / path)
            (root / MANIFEST).write_bytes(text)
            if signature is not None:
                (root / SIGNATURE).write_bytes(signature)
            return self._store.take(root, work, replace=True)

    def _fetch(self, file: str, size: int, place: Path) -> Path:
        """The file of that hash; what an earlier call brought of it is kept. BundleError if it is another one."""
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = place / file
        have = part.stat().st_size if part.exists() else 0
        if have > size:
            part.unlink()
            have = 0
        with part.open("ab") as out:
            while have < size:
                count = min(WINDOW_BYTES, size - have)
                self._ask(Want(hash=file, start=have, count=count))
                until = have + count
                while have < until:
                    data = self._next(file, have, until)
                    out.write(data)
                    have += len(data)
                    self.fetched_bytes += len(data)
        if hash_of(part.read_bytes()) != file:
            part.unlink()
            raise BundleError("What came is not what was offered (checksum differs).")
        return part

    def _next(self, file: str, start: int, until: int) -> bytes:
        while not self._stop.is_set():
            try:
                message = self._pieces.get(timeout=POLL_S)
            except queue.Empty:
                continue
            got, at, data = read_piece(message)
            if (got, at) != (file, start) or not 0 < len(data) <= until - start:
                raise CallError("The other side sent something else than what was asked for.")
            return data
        raise CallError("The call ended before all of it was there; the next one goes on from here.")

    def _ask(self, want: Want) -> None:
        while not self._tell(want.model_dump_json()):
            if self._stop.wait(POLL_S):
                raise CallError("The call ended before all of it was there; the next one goes on from here.")

    def _forget_others(self, place: Path) -> None:
        """Of portraits that never came whole only the last is kept."""
        for other in place.parent.iterdir():
            if other != place:
                shutil.rmtree(other, ignore_errors=True)

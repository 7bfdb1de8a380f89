"""A portrait that travels over a call: taken whole or not at all, and the call goes on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lsp_cam.call.exchange import Exchange
from lsp_cam.call.giving import Giver
from lsp_cam.call.passing import (
    MAX_PORTRAIT_BYTES,
    PIECE_BYTES,
    Offer,
    Want,
    piece,
    read_piece,
    read_said,
)
from lsp_cam.call.taking import MAX_OFFERS, Proposal, Taker
from lsp_cam.errors import CallError
from lsp_cam.manifest import MANIFEST, hash_of
from lsp_cam.store import Store
from lsp_cam.subject import Subject, write_bundle
from lsp_cam.trust.signing import SIGNATURE, own_key, sign_manifest
from tests.bundles import manifest_fields, tiny_bundle, tiny_files

Message = str | bytes
BIG = bytes(range(256)) * (40 * PIECE_BYTES // 256) + b"end"


@dataclass
class Side:
    """One end: what it keeps, shows and is told."""

    store: Store
    agrees: bool = True
    shown: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    asked: list[Proposal] = field(default_factory=list)
    exchange: Exchange = field(default_factory=Exchange)

    def agree(self, proposal: Proposal) -> bool:
        self.asked.append(proposal)
        return self.agrees

    @property
    def taker(self) -> Taker:
        assert self.exchange.taker is not None
        return self.exchange.taker


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.01)


class Careless(Giver):
    """Sends what is on its disk, unlooked at."""

    def _read(self, file: str) -> bytes:
        path = self._paths.get(file)
        return self._subject.text if path is None else (self._subject.root / path).read_bytes()


@contextmanager
def call(here: Side, ours: Subject, way: Callable[[Message], list[Message]] = lambda m: [m]) -> Iterator[list[str]]:
    """A call in which `ours` is offered to `here`; `way`: what becomes of each message to it.

    Gives what the sender is told.
    """
    there, told, stop, full = Exchange(), list[str](), threading.Event(), iter(range(1 << 30))

    def to_here(message: Message) -> bool:
        if next(full) % 3 == 0:
            return False  # the line is full now and then
        for changed in way(message):
            here.exchange.hear(changed)
        return not stop.is_set()

    def to_there(message: Message) -> bool:
        there.hear(message)
        return True

    taker = Taker(here.store, to_there, here.agree, lambda s: here.shown.append(s.name), here.told.append)
    giver = Careless(ours, to_here, told.append)
    there.begin(giver, Taker(here.store, to_here, here.agree, lambda s: None, told.append))
    here.exchange.begin(None, taker)
    threads = [threading.Thread(target=part.run, args=(stop,)) for part in (giver, taker)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)


@pytest.fixture
def here(tmp_path: Path) -> Side:
    return Side(Store(tmp_path / "home", tmp_path / "none"))


def bundle(root: Path, name: str = "ada", **changes: object) -> Subject:
    return write_bundle(root / name, {**manifest_fields(name), **changes}, {**tiny_files(), "big.bin": BIG})


def arrived(side: Side) -> bool:
    return bool(side.shown or side.told)


def nothing_came_of_it(side: Side) -> bool:
    return not side.shown and not side.store.subjects() and not list(side.store.home.glob("arriving/*"))


def test_it_travels_once_and_is_found_by_hash_the_next_time(here: Side, tmp_path: Path) -> None:
    ours = bundle(tmp_path)
    size = len(ours.text) + sum(e.bytes for e in ours.manifest.files.values())
    with call(here, ours) as told:
        until(lambda: told)
    assert here.taker.fetched_bytes == size
    assert here.shown == ["ada"]
    assert told == ["The other side sees your portrait."]
    here.store.get("ada").verify()
    assert dict(here.asked[0].lines())["consent"] == "drawn by a program"
    assert here.asked[0].missing_bytes == size - len(ours.text)
    again = Side(here.store, agrees=False)
    with call(again, ours) as told:
        until(lambda: told)
    assert (again.shown, again.asked, again.taker.fetched_bytes) == (["ada"], [], 0)


def test_files_that_are_here_already_do_not_travel(here: Side, tmp_path: Path) -> None:
    with call(here, bundle(tmp_path)) as told:
        until(lambda: told)
    other = Side(here.store)
    ours = bundle(tmp_path, "bob")
    with call(other, ours) as told:
        until(lambda: told)
    assert other.shown == ["bob"]
    assert other.taker.fetched_bytes == len(ours.text)


def compacted(root: Path, whole: Subject) -> Subject:
    """What says of itself to be the compact form of `whole`."""
    of = {"of": hash_of(whole.text), "bits": 6, "psnr_db": 48.0, "worst_psnr_db": 46.0}
    return bundle(root, whole.name, compacted=of)


def test_a_compact_form_is_told_and_whoever_has_the_whole_shows_that(here: Side, tmp_path: Path) -> None:
    whole = bundle(tmp_path / "whole")
    ours = compacted(tmp_path / "compact", whole)
    with call(here, ours) as told:
        until(lambda: told)
    assert here.shown == ["ada"]
    assert "48.0 dB" in dict(here.asked[0].lines())["compact"]
    with_whole = Side(Store(tmp_path / "other", tmp_path / "none"))
    with_whole.store.adopt(whole.root)
    with call(with_whole, ours) as told:
        until(lambda: told)
    assert (with_whole.shown, with_whole.asked, with_whole.taker.fetched_bytes) == (["ada"], [], 0)


def test_a_call_that_breaks_is_gone_on_with_by_the_next(here: Side, tmp_path: Path) -> None:
    ours, pieces = bundle(tmp_path), list[Message]()
    size = len(ours.text) + sum(e.bytes for e in ours.manifest.files.values())

    def breaks(message: Message) -> list[Message]:
        if isinstance(message, bytes):
            pieces.append(message)
        return [message] if len(pieces) < 25 else []

    with call(here, ours, breaks):
        until(lambda: len(pieces) > 25)
    before = here.taker.fetched_bytes
    assert 10 * PIECE_BYTES < before < size
    assert not here.shown
    again = Side(here.store)
    with call(again, ours) as told:
        until(lambda: told)
    assert again.shown == ["ada"]
    assert again.taker.fetched_bytes == size - before
    assert not list(here.store.home.glob("arriving/*"))


def flip(message: Message) -> list[Message]:
    return [message] if isinstance(message, str) or len(message) < 3000 else [message[:-1] + bytes([message[-1] ^ 1])]


def elsewhere(message: Message) -> list[Message]:
    if isinstance(message, str):
        return [message]
    file, start, data = read_piece(message)
    return [piece(file, start + 1, data)]


def bomb(message: Message) -> list[Message]:
    import zlib

    return [message] if isinstance(message, str) else [message[:40] + b"\1" + zlib.compress(bytes(1 << 20))]


@pytest.mark.parametrize("way", [flip, elsewhere, bomb])
def test_what_was_tampered_with_is_refused_and_the_next_offer_is_heard(
    here: Side, tmp_path: Path, way: Callable[[Message], list[Message]]
) -> None:
    ours, ways = bundle(tmp_path), [way]
    with call(here, ours, lambda m: ways[0](m)) as told:
        until(lambda: told)
        assert told == ["Your portrait was not taken (refused)."]
        assert here.told[0].startswith("The other side's portrait is not shown.")
        assert not here.shown
        assert not here.store.subjects()
        ways[0] = lambda m: [m]
        while not here.taker._pieces.empty():
            here.taker._pieces.get()
        here.exchange.hear(Offer(hash=hash_of(ours.text), bytes=len(ours.text)).model_dump_json())
        until(lambda: here.shown)


def test_a_manifest_of_another_hash_is_refused(here: Side, tmp_path: Path) -> None:
    def rewritten(message: Message) -> list[Message]:
        if isinstance(message, str):
            return [message]
        file, start, data = read_piece(message)
        return [piece(file, start, data.replace(b"drawn", b"taken"))]

    with call(here, bundle(tmp_path), rewritten):
        until(lambda: arrived(here))
    assert nothing_came_of_it(here)
    assert not here.asked


def of_size(root: Path) -> Subject:
    ours = bundle(root)
    text = json.loads(ours.text)
    text["files"]["big.bin"]["bytes"] = MAX_PORTRAIT_BYTES
    (ours.root / MANIFEST).write_text(json.dumps(text))
    return Subject.open(ours.root)


def with_a_network(root: Path) -> Subject:
    return write_bundle(root / "ada", manifest_fields("ada"), {**tiny_files(), "speech.onnx": b"\x08\x07 no network"})


def not_for_calls(root: Path) -> Subject:
    return bundle(root, consent={"shows": "Ada", "statement": "", "how": "nobody", "uses": ["render"]})


def without_consent(root: Path) -> Subject:
    return bundle(root, consent={"shows": "Ada", "statement": ""})


def signed_by_nobody(root: Path) -> Subject:
    ours = bundle(root)
    signature = sign_manifest(b"another manifest", Ed25519PrivateKey.generate())
    return Subject(ours.root, ours.manifest, ours.text, signature, "somebody")


@pytest.mark.parametrize(
    ("make", "said", "asked"),
    [
        (of_size, "a call brings 64 MiB at most", 0),
        (with_a_network, "speech.onnx", 1),
        (not_for_calls, "not for calls", 0),
        (without_consent, "holds no consent", 0),
        (signed_by_nobody, "changed after it was signed", 0),
    ],
)
def test_what_install_would_refuse_is_refused(
    here: Side, tmp_path: Path, make: Callable[[Path], Subject], said: str, asked: int
) -> None:
    with call(here, make(tmp_path)) as told:
        until(lambda: told)
    assert said in here.told[0]
    assert len(here.asked) == asked
    assert nothing_came_of_it(here)


def test_without_a_yes_nothing_is_fetched(here: Side, tmp_path: Path) -> None:
    here.agrees, ours = False, bundle(tmp_path)
    with call(here, ours) as told:
        until(lambda: told)
    assert here.taker.fetched_bytes == len(ours.text)
    assert "--accept" in here.told[0]
    assert nothing_came_of_it(here)


def test_nobody_takes_the_name_of_another(here: Side, tmp_path: Path) -> None:
    here.store.adopt(tiny_bundle(tmp_path / "mine", "ada").root)
    with call(here, bundle(tmp_path)) as told:
        until(lambda: told)
    assert "another subject called 'ada'" in here.told[0]
    assert not here.shown
    assert "big.bin" not in here.store.get("ada").manifest.files


def test_a_newer_version_by_the_same_signer_takes_its_place(
    here: Side, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSP_CAM_HOME", str(tmp_path / "maker"))
    key = own_key()
    for version in ("first", "second"):
        ours = bundle(tmp_path / version, title=version)
        (ours.root / SIGNATURE).write_bytes(sign_manifest(ours.text, key))
        with call(here, Subject.open(ours.root)) as told:
            until(lambda: told)
        assert here.store.get("ada").manifest.title == version
    assert here.store.get("ada").signer in here.told[-1]
    unsigned = bundle(tmp_path / "third", title="third")
    with call(here, unsigned) as told:
        until(lambda: told)
    assert "not signed at all" in here.told[-1]
    assert here.store.get("ada").manifest.title == "second"


def test_floods_and_garbage_are_borne(here: Side, tmp_path: Path) -> None:
    here.agrees = False
    with call(here, bundle(tmp_path)) as told:
        until(lambda: told)
        for number in range(1000):
            here.exchange.hear(Offer(hash=f"{number:064x}", bytes=10).model_dump_json())
            here.exchange.hear(bytes(number))
            here.exchange.hear("{" * number)
            here.exchange.hear(json.dumps({"kind": "want", "hash": "0" * 64, "start": number, "count": 1}))
        assert here.exchange.refused == 1000
        assert here.taker.heard_offers == 1001 > MAX_OFFERS
        assert here.taker._offers.qsize() <= 1
        assert here.taker._pieces.qsize() <= here.taker._pieces.maxsize


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '{"kind": "offer"}', '{"kind": "else"}', '{"kind":"want","hash":"../x","start":0,"count":1}'],
)
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(CallError):
        read_said(text)


def test_what_is_not_in_the_bundle_is_not_sent(tmp_path: Path) -> None:
    ours, sent, stop = bundle(tmp_path), list[Message](), threading.Event()
    giver = Giver(ours, lambda m: bool(sent.append(m)) or True, lambda text: None)
    wanted = ours.manifest.files["big.bin"].sha256
    for name, start in (("0" * 64, 0), (wanted, len(BIG) + 5), (wanted, len(BIG) - 3)):
        giver.hear(Want(hash=name, start=start, count=100))
    thread = threading.Thread(target=giver.run, args=(stop,))
    thread.start()
    until(lambda: len(sent) == 2)
    stop.set()
    thread.join(20)
    assert isinstance(sent[1], bytes)
    assert read_piece(sent[1]) == (wanted, len(BIG) - 3, b"end")

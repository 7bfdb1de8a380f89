"""What strangers and the other side may do to a call that is on: it is refused, written down, and the call goes on."""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.call import consent
from lsp_cam.call.conversation import Conversation
from lsp_cam.call.exchange import Exchange
from lsp_cam.call.passing import MAX_PORTRAIT_BYTES, Offer, Want, piece
from lsp_cam.call.peer import Peer
from lsp_cam.call.playout import Playout
from lsp_cam.call.portraits import Wishes, passing
from lsp_cam.call.voices import FarVoice
from lsp_cam.daemon.crew import Crew
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.manifest import hash_of
from lsp_cam.packets import Float32
from lsp_cam.store import Store
from tests.bundles import forge, tiny_bundle

from .test_peer import introduce, until

pytestmark = pytest.mark.usefixtures("loopback")
MAX_TEXT = 4096


@dataclass
class Call:
    """A call that is on: `one` listens to `other`, who may mean ill."""

    one: Peer
    other: Peer
    playout: Playout
    exchange: Exchange
    heard: list[Float32]
    said: list[str]
    store: Store

    def goes_on(self) -> None:
        """From now on the other side is still heard, and loud."""
        before = len(self.heard)
        until(lambda: any(np.abs(block).max() > 0.05 for block in self.heard[before:]))
        assert self.one.is_open
        assert self.other.is_open


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    playout, exchange = Playout(), Exchange()
    one, other = Peer(playout.hear, exchange.hear), Peer(lambda packet: None, lambda message: None)
    stop, heard, said = threading.Event(), list[Float32](), list[str]()
    crew = Crew(stop)
    speech = read_audio(sample_speech())
    speaker = Conversation(other, Playout(), lambda: FileSource(speech, loop=True), stop)
    store = Store(tmp_path / "store", tmp_path / "none")
    ear = FarVoice(playout, one)

    def listen() -> None:
        while not stop.is_set():
            block = ear.read(0.1)
            heard.extend([block.samples] if block is not None else [])

    try:
        introduce(one, other)
        speaker.begin()
        crew.run("ear", listen)
        passing(exchange, one.tell, Wishes(None, lambda proposal: True, said.append, store=store))(lambda s: None, crew)
        yield Call(one, other, playout, exchange, heard, said, store)
    finally:
        stop.set()
        crew.join()
        speaker.end()
        one.close()


def port_of(peer: Peer) -> int:
    ice: Any = peer._pc.getSenders()[0].transport.transport
    return int(ice._connection._nominated[1].local_candidate.port)


def test_a_strangers_packets(call: Call) -> None:
    """Random bytes, and what begins like checks, keys, speech and reports, to both sides' ports."""
    call.goes_on()
    rng = random.Random(5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(3000):
            first = (0, 1, 20, 22, 23, 63, 128, 144, 191, 255)[number % 10]
            junk = bytes([first]) + rng.randbytes(rng.choice((0, 1, 3, 11, 19, 40, 200, 1400)))
            if number % 10 < 2:  # a whole head of a check, from nobody
                junk = bytes([0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42]) + rng.randbytes(12)
            stranger.sendto(junk, ("127.0.0.1", port_of(call.one if number % 2 else call.other)))
            if number % 100 == 0:
                time.sleep(0.01)
    call.goes_on()
    assert call.playout.refused == 0, "what has not the call's keys does not come so far"


def test_what_is_no_speech(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    """The other side itself sends garbage for speech, at times that make no sense."""
    rng = random.Random(6)
    with caplog.at_level(logging.WARNING):
        for number in range(300):
            junk = rng.randbytes(rng.randrange(1, 1200))
            call.other.send(junk, rng.randrange(1 << 32) if number % 3 else 10**9)
            time.sleep(0.002)
        until(lambda: call.playout.refused > 100)
    assert "packets from the other side are no speech" in caplog.text
    call.goes_on()


def test_a_flood_of_offers_and_of_nonsense(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(500):
            for message in (
                Offer(hash=f"{number:064x}", bytes=10).model_dump_json(),
                Want(hash="0" * 64, start=0, count=1).model_dump_json(),
                "{" * (number + 1),
                piece("0" * 64, number, b"unasked"),
                "x" * (MAX_TEXT + number + 1),
            ):
                while not call.other.tell(message):
                    time.sleep(0.01)
        until(lambda: call.exchange.refused >= 1000)
    assert "not understood" in caplog.text
    assert "too long" in caplog.text
    assert not call.store.subjects()
    call.goes_on()


def send_portrait(call: Call, ours: Any, spoil: bytes | None = None) -> None:
    """Offer it, and answer what is asked; with `spoil`, other bytes than were promised."""
    asked: list[Any] = []
    call.other._on_message = asked.append
    call.other._channel.remove_all_listeners("message")
    call.other._channel.on("message", asked.append)
    call.other.tell(Offer(hash=hash_of(ours.text), bytes=len(ours.text)).model_dump_json())
    paths = {entry.sha256: path for path, entry in ours.manifest.files.items()}
    deadline_s = time.monotonic() + 60
    while not any("settled" in text for text in asked) and time.monotonic() < deadline_s:
        for text in [a for a in asked if '"want"' in a]:
            asked.remove(text)
            want = Want.model_validate_json(text)
            data = ours.text if want.hash == hash_of(ours.text) else (ours.root / paths[want.hash]).read_bytes()
            if want.hash in paths and spoil is not None:
                data = (spoil * len(data))[: len(data)]
            for start in range(want.start, want.start + want.count, 8192):
                end = min(start + 8192, want.start + want.count)
                while not call.other.tell(piece(want.hash, start, data[start:end])):
                    time.sleep(0.01)
        time.sleep(0.02)
    assert any("settled" in text and "refused" in text for text in asked)


def test_a_portrait_that_was_tampered_with(call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        send_portrait(call, tiny_bundle(tmp_path, "ada"), spoil=b"something else")
    assert "checksum differs" in caplog.text
    assert "not what was offered" in call.said[0]
    assert not call.store.subjects()
    call.goes_on()


def test_a_portrait_that_is_too_large(call: Call, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ours = tiny_bundle(tmp_path, "ada")
    forge(ours, lambda raw: raw["files"]["speech.bin"].update(bytes=MAX_PORTRAIT_BYTES))
    with caplog.at_level(logging.WARNING):
        send_portrait(call, type(ours).open(ours.root))
    assert "a call brings 64 MiB at most" in caplog.text
    assert not call.store.subjects()
    call.goes_on()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the other side still agrees is asked often, and waited for less long."""
    monkeypatch.setattr(consent, "EVERY_S", 0.2)
    monkeypatch.setattr(consent, "EXPIRES_S", 10.0)


def test_a_bad_line_is_no_hang_up_but_a_silent_one_is(hasty: None, call: Call) -> None:
    """Five in six questions whether the other side still agrees are lost; then all of them."""
    from aioice import stun

    ice: Any = call.one._pc.getSenders()[0].transport.transport
    protocol = ice._connection._nominated[1].protocol
    ask, asked = protocol.request, [0]

    async def badly(*given: Any, **more: Any) -> Any:
        asked[0] += 1
        if asked[0] % 6 or asked[0] > 40:
            raise stun.TransactionTimeout
        return await ask(*given, **more)

    protocol.request = badly
    until(lambda: asked[0] > 36)
    assert call.one.is_open
    until(lambda: not call.one.is_open)

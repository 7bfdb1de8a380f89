"""Two sides over WebRTC, on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.call.codes import code_of, read_code
from lsp_cam.call.conversation import Conversation
from lsp_cam.call.opus import OpusEncoder
from lsp_cam.call.peer import Peer
from lsp_cam.call.playout import Playout
from lsp_cam.call.voices import FarVoice
from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.devices.null import ListSink, ListVoice
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.errors import CallError
from tests.daemon.fakes import FakeLoader, loudness_of

pytestmark = pytest.mark.usefixtures("loopback")


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.02)


def introduce(one: Peer, other: Peer) -> None:
    """As two people with codes do."""
    offer = read_code(code_of(one.offer(), "offer").text(), "offer")
    answer = read_code(code_of(other.answer(offer.sdp()), "answer").text(), "answer")
    one.accept(answer.sdp())
    one.connect(60)
    other.connect(60)


@contextmanager
def peers() -> Iterator[tuple[Peer, Peer, Playout, Playout, list[Any]]]:
    here, there, told = Playout(), Playout(), []
    one = Peer(here.hear, told.append)
    other = Peer(there.hear, told.append)
    try:
        introduce(one, other)
        yield one, other, here, there, told
    finally:
        one.close()
        other.close()


def test_a_call_between_two_daemons() -> None:
    """Each side's microphone moves the other's portrait, and is heard with it; hanging up ends both."""
    with peers() as (one, other, here, there, told):
        speech = read_audio(sample_speech())
        ends = [threading.Event(), threading.Event()]
        calls = [
            Conversation(line, playout, lambda: FileSource(speech, loop=True), end)
            for line, playout, end in ((one, here, ends[0]), (other, there, ends[1]))
        ]
        cameras, voices = [ListSink(), ListSink()], [ListVoice(), ListVoice()]
        daemons = []
        for call, camera, voice in zip(calls, cameras, voices, strict=True):
            loader: Any = FakeLoader()
            daemons.append(
                Daemon(
                    loader.find("anna"), loader, lambda call=call: FarVoice(call.playout, call.line), camera,
                    Settings(fps=10), voice_sink=voice, stop=call.stop,
                )
            )  # fmt: skip
        for part in (*calls, *daemons):
            part.begin()
        try:
            for camera, voice in zip(cameras, voices, strict=True):
                until(lambda camera=camera: any(loudness_of(f) > 20 for f in camera.frames))
                until(lambda voice=voice: any(np.abs(s).max() > 0.05 for _, s in voice.blocks))
            assert daemons[0].source.state == "live"
            assert one.tell("a message")
            until(lambda: "a message" in told)
            calls[0].end()
            until(lambda: ends[1].is_set(), 30)
        finally:
            for part in (*daemons, calls[1]):
                part.end()
        assert not other.is_open


def test_the_way_for_motion_is_there_before_anybody_moves() -> None:
    """One that is made with the first pose waits for seconds where the packet that opens it is lost."""
    with peers() as (one, other, *_):
        until(lambda: all(peer._far_motion is not None for peer in (one, other)))
        assert one._own_motion.readyState == other._own_motion.readyState == "open"
        assert one.traffic.motion_packets_out == other.traffic.motion_packets_out == 0


def test_somebody_with_another_key_is_not_believed() -> None:
    one, other = Peer(lambda packet: None, lambda message: None), Peer(lambda packet: None, lambda message: None)
    try:
        offer = code_of(one.offer(), "offer")
        answer = code_of(other.answer(offer.sdp()), "answer")
        one.accept(replace(answer, fingerprint=bytes(32)).sdp())
        with pytest.raises(CallError, match="has not the key"):
            one.connect(60)
    finally:
        one.close()
        other.close()


@pytest.mark.parametrize("junk", ["", "v=0", "v=0\r\nm=audio 9 RTP 0\r\n", "\0" * 99])
def test_a_description_that_is_none_is_refused(junk: str) -> None:
    one = Peer(lambda packet: None, lambda message: None)
    try:
        with pytest.raises(CallError):
            one.answer(junk)
    finally:
        one.close()


def test_a_call_moves_with_the_machines_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with peers() as (one, other, here, there, _):

        def speaks_from(peer: Peer) -> str:
            ice: Any = peer._pc.getSenders()[0].transport.transport
            return str(ice._connection._nominated[1].local_candidate.host)

        assert (speaks_from(one), speaks_from(other)) == ("127.0.0.1", "127.0.0.1")
        monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.2"])
        until(lambda: speaks_from(one) == speaks_from(other) == "127.0.0.2")
        packet = OpusEncoder().encode(np.zeros(640, np.float32))
        before = here.heard_s, there.heard_s
        one.send(packet, 0)
        other.send(packet, 0)
        until(lambda: here.heard_s != before[0] and there.heard_s != before[1])
        assert one.is_open
        assert other.is_open

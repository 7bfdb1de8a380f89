"""Calls in plain RTP, with ourselves and with FFmpeg."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_cam.assets import sample_speech
from lsp_cam.call.conversation import Conversation
from lsp_cam.call.playout import Playout, Voiced
from lsp_cam.call.rtp import Rtp, read_packet, read_place
from lsp_cam.call.voices import FarVoice
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.errors import CallError, UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ

from .test_peer import until

HERE = "127.0.0.1"


def test_who_listens_answers_whoever_speaks_first() -> None:
    heard: list[Voiced] = []
    listener = Rtp(heard.append, (HERE, 0))
    answers: list[Voiced] = []
    caller = Rtp(answers.append, (HERE, 0), (HERE, listener.port))
    try:
        listener.send(b"nobody is there yet", 0)
        caller.send(b"\x08" * 80, 7000)
        listener.connect(threading.Event())
        until(lambda: heard)
        assert (heard[0].timestamp, heard[0].payload) == (7000, b"\x08" * 80)
        listener.send(b"\x08back", 5)
        until(lambda: answers)
        stranger = Rtp(lambda packet: None, (HERE, 0), (HERE, listener.port))
        try:
            stranger.send(b"\x08 me, too", 9)
            caller.send(b"\x08last", 9000)
            until(lambda: len(heard) == 2)
            assert heard[1].timestamp == 9000
        finally:
            stranger.close()
    finally:
        listener.close()
        caller.close()
    assert not caller.is_open


def test_poses_of_who_speaks_arrive_and_are_no_speech() -> None:
    heard, moved = list[Voiced](), list[bytes]()
    listener = Rtp(heard.append, (HERE, 0), on_motion=moved.append)
    caller, stranger = (Rtp(lambda packet: None, (HERE, 0), (HERE, listener.port)) for _ in range(2))
    try:
        caller.move(b"before the first word")
        caller.send(b"\x08" * 80, 0)
        until(lambda: heard)
        stranger.move(b"me, too")
        caller.move(b"a pose")
        until(lambda: moved)
        assert moved == [b"a pose"]
        assert len(heard) == 1
    finally:
        for end in (listener, caller, stranger):
            end.close()


def test_a_whole_voice_and_what_is_no_speech() -> None:
    """Speech through our own line, while somebody throws bytes at it."""
    playout, stop, speech = Playout(), threading.Event(), read_audio(sample_speech())
    listener = Rtp(playout.hear, (HERE, 0))
    caller = Rtp(lambda packet: None, (HERE, 0), (HERE, listener.port))
    call = Conversation(caller, Playout(), lambda: FileSource(speech, loop=True), stop)
    ear, rng = FarVoice(playout, listener), np.random.default_rng(0)
    call.begin()
    try:
        listener.connect(stop)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            blocks: list[Any] = []

            def heard() -> bool:
                stranger.sendto(bytes([128, 96]) + rng.bytes(int(rng.integers(0, 200))), (HERE, listener.port))
                block = ear.read(0.1)
                blocks.extend([block.samples] if block is not None else [])
                return sum(bool(np.abs(b).max() > 0.05) for b in blocks) > 50

            until(heard)
        assert playout.refused == 0, "only who spoke first is heard"
    finally:
        call.end()
        listener.close()


def test_ffmpegs_voice_is_heard() -> None:
    playout, speech = Playout(), read_audio(sample_speech())[: 3 * SAMPLE_RATE_HZ]
    listener = Rtp(playout.hear, (HERE, 0))
    ear = FarVoice(playout, listener)
    try:
        with av.open(f"rtp://{HERE}:{listener.port}", "w", format="rtp") as out:
            stream = out.add_stream("libopus", rate=16_000, layout="mono")
            for start in range(0, len(speech) - 320, 320):
                samples = np.ascontiguousarray((speech[start : start + 320] * 32767).astype(np.int16)[None])
                frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
                frame.sample_rate, frame.pts = 16_000, start
                out.mux(stream.encode(frame))
                time.sleep(0.001)
        until(lambda: listener.traffic.packets_in > 100)

        def heard() -> bool:
            block = ear.read(0.1)
            return block is not None and bool(np.abs(block.samples).max() > 0.05)

        until(heard)
        assert playout.refused == 0
    finally:
        listener.close()


@given(st.binary(max_size=300))
def test_any_datagram_is_borne(data: bytes) -> None:
    found = read_packet(data)
    assert found is None or 0 < len(found[1].payload) < len(data)


def test_extensions_and_padding_are_no_speech() -> None:
    head = bytes([0x80 | 0x30 | 1, 111]) + (5).to_bytes(2, "big") + (6).to_bytes(4, "big") + (7).to_bytes(4, "big")
    packet = head + b"csrc" + b"\xbe\xde\x00\x01" + b"ext." + b"speech" + b"\0\0\3"
    found = read_packet(packet)
    assert found is not None
    assert (found[0], found[1].sequence, found[1].timestamp, found[1].payload) == (7, 5, 6, b"speech")


@pytest.mark.parametrize("text", ["", "rtp://", "rtp://a:b", "http://a:1", "rtp://a:1/path"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="looks like"):
        read_place(text)


def test_a_port_that_is_taken_is_told() -> None:
    assert read_place("rtp://[::1]:7") == ("::1", 7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HERE, 0))
        with pytest.raises(CallError, match="cannot be used"):
            Rtp(lambda packet: None, (HERE, other.getsockname()[1]))

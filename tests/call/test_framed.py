"""Calls over byte streams that are slow, break off and spoil what they carry."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_cam.assets import sample_speech
from lsp_cam.call import framed
from lsp_cam.call.conversation import Conversation
from lsp_cam.call.framed import PART_BYTES, VOICE, Framed, frame, frames
from lsp_cam.call.playout import Playout, Voiced
from lsp_cam.call.voices import FarVoice
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.errors import CallError
from lsp_cam.packets import Float32

from .test_peer import until


@contextmanager
def lines(spoil: float = 0.0) -> Iterator[tuple[Framed, Framed, list[Any], list[Any], list[Voiced]]]:
    """Two ends of a line whose way back spoils that share of bytes; what each was told; what the second heard."""
    one_told, other_told, heard, rng = list[Any](), list[Any](), list[Voiced](), random.Random(1)
    there, here, back, through = os.pipe(), os.pipe(), os.pipe(), None
    if spoil:

        def carry() -> None:
            while data := bytearray(os.read(back[0], 512)):
                for at in range(len(data)):
                    data[at] = rng.randrange(256) if rng.random() < spoil else data[at]
                os.write(here[1], data)
            os.close(here[1])
            os.close(back[0])

        through = threading.Thread(target=carry)
        through.start()
    else:
        os.close(back[0])
        os.close(back[1])
    one = Framed(here[0], there[1], lambda packet: None, one_told.append)
    other = Framed(there[0], back[1] if spoil else here[1], heard.append, other_told.append)
    try:
        yield one, other, one_told, other_told, heard
    finally:
        other.close()
        one.close()
        if through is not None:
            through.join(20)
        until(lambda: not any(thread.is_alive() for end in (one, other) for thread in end._threads))


def test_speech_and_messages_of_any_length_arrive() -> None:
    with lines() as (one, other, one_told, other_told, heard):
        messages = ["", "hello", "long " * 3000, b"", b"\0" * PART_BYTES, bytes(range(256)) * 60]
        for number, message in enumerate(messages):
            until(lambda message=message: one.tell(message))
            one.send(bytes([number + 1]) * 80, 1000 * number)
        until(lambda: len(other_told) == len(messages) and len(heard) == len(messages))
        assert other_told == messages
        assert [(p.sequence, p.timestamp, len(p.payload)) for p in heard] == [(n, 1000 * n, 80) for n in range(6)]
        assert other.tell("back")
        until(lambda: one_told == ["back"])
        assert (one.traffic.bytes_out, other.traffic.bytes_in) == (480, 480)
        other.close()
        until(lambda: not one.is_open)


def test_poses_arrive_beside_the_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    with lines() as (one, other, _, other_told, heard):
        told = list[bytes]()
        monkeypatch.setattr(other, "_on_motion", told.append)
        for number in range(3):
            one.move(bytes([number]) * 29)
            one.send(bytes(80), number)
        until(lambda: len(told) == len(heard) == 3)
        assert told == [bytes([number]) * 29 for number in range(3)]
        assert (one.traffic.motion_packets_out, one.traffic.motion_bytes_out) == (3, 87)
        assert not other_told


def test_the_other_side_is_waited_for_and_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framed, "SILENT_S", 5.0)
    stop = threading.Event()
    with lines() as (one, other, *_):
        one.connect(stop)
        other.connect(stop)
        assert one.is_open
    reader, writer = os.pipe()
    nobody, away = os.pipe()
    alone = Framed(reader, away, lambda packet: None, lambda message: None)
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(CallError, match="Start both sides"):
        alone.connect(stop)
    os.write(writer, frame(framed.LOSS, b"\0"))
    alone.connect(threading.Event())
    until(lambda: not alone.is_open)
    os.close(writer)
    os.close(nobody)


def test_too_much_to_say_is_said_later_and_speech_is_not_kept_waiting() -> None:
    """Nobody reads for a while: messages are turned away, and of speech the newest stays."""
    reader, writer = os.pipe()
    nothing, never = os.pipe()
    line = Framed(nothing, writer, lambda packet: None, lambda message: None)
    try:
        until(lambda: not line.tell(bytes(16_000)))
        for number in range(200):
            line.send(b"speech", number)
        drained = threading.Thread(target=lambda: [os.read(reader, 1 << 16) for _ in iter(lambda: line.is_open, False)])
        drained.start()
        until(lambda: line.tell("now"))
        line.close()
        os.close(never)
        until(lambda: not line._threads[0].is_alive())
        drained.join(20)
    finally:
        os.close(reader)


def test_a_line_that_spoils_bytes_costs_packets_and_not_the_call() -> None:
    speech = read_audio(sample_speech())
    with lines(spoil=0.0005) as (one, other, *_):
        playout, stop, blocks = Playout(), threading.Event(), list[Float32]()
        one._on_voice = playout.hear
        call = Conversation(other, Playout(), lambda: FileSource(speech, loop=True), stop)
        ear = FarVoice(playout, one)
        call.begin()
        try:

            def heard() -> bool:
                block = ear.read(0.1)
                blocks.extend([block.samples] if block is not None else [])
                return playout.lost > 5 and any(np.abs(b).max() > 0.05 for b in blocks[-100:])

            until(heard, 120)
            until(lambda: other.loss > 0, 60)
            assert one.is_open
        finally:
            call.end()


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.binary(max_size=40), max_size=7))
def test_what_lies_between_frames_is_passed_over(bodies: list[bytes], junk: list[bytes]) -> None:
    reader, writer = os.pipe()
    for number in range(max(len(bodies), len(junk))):
        os.write(writer, junk[number].replace(b"L", b"l") if number < len(junk) else b"")
        os.write(writer, frame(VOICE, bodies[number]) if number < len(bodies) else b"")
    os.close(writer)
    found = list(frames(reader))
    os.close(reader)
    assert [body for _, body in found] == bodies


@given(st.binary(max_size=3000))
def test_any_bytes_are_borne(data: bytes) -> None:
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    for kind, body in frames(reader):
        assert 0 <= kind < 256
        assert len(body) <= len(data)
    os.close(reader)


def test_a_stream_that_ends_ends_the_call() -> None:
    reader, writer = os.pipe()
    back, out = os.pipe()
    line = Framed(reader, out, lambda packet: None, lambda message: None)
    os.close(writer)
    until(lambda: not line.is_open)
    line.close()
    until(lambda: not any(thread.is_alive() for thread in line._threads))
    os.close(back)


@pytest.mark.parametrize("kind", range(7))
def test_frames_that_are_too_short_say_nothing(kind: int) -> None:
    with lines() as (one, other, *_, heard):
        os.write(one._writer, frame(kind, b""))
        with suppress(BrokenPipeError):  # the other side may have hung up on it already
            os.write(one._writer, frame(VOICE, bytes(6) + b"\x08"))
        until(lambda: heard or not other.is_open)
        assert len(heard) == (0 if not other.is_open else 1)

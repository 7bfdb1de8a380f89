"""What `call` does once it knows who calls how: the lines of each kind, and the call over one of them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError
from .console import print_line
from .daemon import print_started

if TYPE_CHECKING:
    from ..call.exchange import Exchange
    from ..call.head import OwnHead
    from ..call.line import Line
    from ..call.peer import Peer
    from ..call.playout import Playout
    from ..call.portraits import Wishes
    from ..daemon.options import StartOptions


@dataclass(frozen=True)
class Ours:
    """Our side: what the daemon that shows the other is started with, bits per second of our voice, what becomes of
    the two portraits, our head."""

    options: StartOptions
    bitrate: int
    wishes: Wishes
    head: OwnHead


@dataclass(frozen=True)
class Theirs:
    """What takes in the other side's speech and head, and what its messages; set, `stop` ends the call."""

    playout: Playout
    exchange: Exchange
    stop: threading.Event


def _theirs() -> Theirs:
    from ..call.exchange import Exchange
    from ..call.playout import Playout

    return Theirs(Playout(), Exchange(), threading.Event())


@contextmanager
def by_webrtc(stun: str | None) -> Iterator[tuple[Peer, Theirs]]:
    """A peer that is to be connected; hung up at the end."""
    from ..call.peer import Peer

    theirs = _theirs()
    peer = Peer(theirs.playout.hear, theirs.exchange.hear, stun, theirs.playout.head.hear)
    try:
        yield peer, theirs
    finally:
        peer.close()


def over_stdio(ours: Ours) -> None:
    """A call over standard input and output; what is printed goes to standard error, and nobody can be asked."""
    from ..call.framed import Framed
    from ..daemon.signals import stopping_on_signals

    if sys.stdin.isatty() or sys.stdout.isatty():
        raise UsageError("Here is a terminal, no line: join both sides by pipes (docs/calls.md shows how, with ssh).")
    sys.stdout.flush()
    reader, writer = os.dup(0), os.dup(1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    theirs = _theirs()
    line = Framed(reader, writer, theirs.playout.hear, theirs.exchange.hear, theirs.playout.head.hear)
    try:
        with stopping_on_signals(theirs.stop):
            line.connect(theirs.stop)
        converse(line, theirs, ours)
    finally:
        line.close()


def over_rtp(place: str, calls: bool, ours: Ours) -> None:
    """A call in plain RTP: to `place` (`calls`), or with whoever speaks to it first."""
    from ..call.rtp import Rtp, read_place
    from ..daemon.signals import stopping_on_signals

    if ours.wishes.ours is not None:
        raise UsageError("Plain RTP carries speech alone: leave --send out, or call by a code.")
    theirs, where = _theirs(), read_place(place)
    line = Rtp(theirs.playout.hear, ("", 0) if calls else where, where if calls else None, theirs.playout.head.hear)
    try:
        if not calls:
            print_line(f"Waiting for speech at port {line.port}. This is not encrypted: whoever reaches it can speak.")
        with stopping_on_signals(theirs.stop):
            line.connect(theirs.stop)
        converse(line, theirs, ours)
    finally:
        line.close()


def converse(line: Line, theirs: Theirs, ours: Ours) -> None:
    """The call, until one side hangs up."""
    from ..call.conversation import Conversation
    from ..call.opus import Config
    from ..call.portraits import passing
    from ..daemon.choose import choose_microphone
    from ..daemon.log import open_log
    from ..daemon.signals import stopping_on_signals
    from ..trust.limits import limit_memory
    from ..web.host import Host

    options, stop = ours.options, theirs.stop
    with stopping_on_signals(stop):
        open_log()
        limit_memory()
        open_microphone, notices = choose_microphone(options.settings.mic, options.loop)
        for notice in notices:
            print_line(notice, "yellow")
        portraits = passing(theirs.exchange, line.tell, ours.wishes)
        call = Conversation(
            line, theirs.playout, open_microphone, stop, Config(ours.bitrate), portraits, head=ours.head
        )
        print_line(f"Connected ({line.describe()}). Hang up with Ctrl-C.", "bold green")
        try:
            call.begin()
            Host(options, stop, print_line, print_started, cast=call.cast).run()
        finally:
            call.end()
    print_line("The call is over.")

"""`call`: speak with somebody and see their portrait, while only the voice travels."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..trust import WAIVER
from .console import Commands, print_line, print_note
from .daemon import print_started

if TYPE_CHECKING:
    from ..call.exchange import Exchange
    from ..call.head import OwnHead
    from ..call.line import Line
    from ..call.peer import Peer
    from ..call.playout import Playout
    from ..call.portraits import Wishes
    from ..call.taking import Proposal
    from ..daemon.options import StartOptions

STDIO, RTP = "stdio", "rtp://"
Subject = Annotated[str | None, typer.Option(help="Who is shown here while the other side's own portrait is not.")]
Mic = Annotated[str | None, typer.Option(help="Microphone (name or number), audio file, or auto.")]
Camera = Annotated[str | None, typer.Option(help="Where the other side is seen: virtual camera, preview, none, …")]
Speaker = Annotated[str, typer.Option(help="Where the other side is heard: auto, on, or none.")]
Bitrate = Annotated[int, typer.Option(help="Bits per second of your voice, 6000 to 24000.")]
Stun = Annotated[str | None, typer.Option(help="HOST:PORT of a STUN server: needed from one network to another.")]
Qr = Annotated[bool, typer.Option("--qr/--no-qr", help="Show the code as a picture, too.")]
Send = Annotated[str | None, typer.Option(help="Your portrait: a subject that is sent to the other side, once.")]
Whole = Annotated[bool, typer.Option("--whole", help="Send your portrait as it is, not its compact form.")]
Track = Annotated[
    Path | None,
    typer.Option(
        "--pose-track", help="Your head's motion at the other side: .npy, .npz or .csv of yaw,pitch,roll,x,y,z."
    ),
]
Accept = Annotated[bool, typer.Option("--accept", help="Take the other side's portrait without asking.")]
Right = Annotated[bool, typer.Option(WAIVER, help="Show somebody whose consent the bundle lacks: you answer.")]


def register(app: typer.Typer) -> None:
    """Hang the group on `app`."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, help="Calls in which only the voice travels.")
    for command in (listen, dial, serve):
        group.command()(command)
    app.add_typer(group, name="call")


def listen(
    via: Annotated[
        str | None, typer.Option(help="A rendezvous (http://host:8470), stdio, or rtp://ADDRESS:PORT. Default: codes.")
    ] = None,
    subject: Subject = None,
    mic: Mic = None,
    camera: Camera = None,
    speaker: Speaker = "auto",
    bitrate: Bitrate = 16_000,
    stun: Stun = None,
    qr: Qr = True,
    send: Send = None,
    whole: Whole = False,
    accept: Accept = False,
    right: Right = False,
    pose_track: Track = None,
) -> None:
    """Wait for somebody to call."""
    from ..call.address import Address, check_server
    from ..call.meeting import listen_at, listen_by_hand

    options = _options(subject, mic, camera, speaker, right)
    head = _head(pose_track)
    wishes = _wishes(send, whole, accept, right)
    if via == STDIO:
        _over_stdio(options, bitrate, wishes, head)
        return
    if via and via.startswith(RTP):
        _over_rtp(via, False, options, bitrate, wishes, head)
        return
    address = Address(check_server(via)) if via else None
    with _line(stun) as (peer, playout, stop, exchange):
        if address is None:
            listen_by_hand(peer, lambda code: _show(code, "Send this code to the other side:", qr), _ask)
        else:
            listen_at(peer, address, lambda a: _show(a, "Send this address to the other side:", qr), stop)
        _converse(peer, playout, options, bitrate, stop, exchange, wishes, head)


def dial(
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="The code or address that `call listen` showed; or stdio.")
    ],
    subject: Subject = None,
    mic: Mic = None,
    camera: Camera = None,
    speaker: Speaker = "auto",
    bitrate: Bitrate = 16_000,
    stun: Stun = None,
    qr: Qr = True,
    send: Send = None,
    whole: Whole = False,
    accept: Accept = False,
    right: Right = False,
    pose_track: Track = None,
) -> None:
    """Call whoever listens."""
    from ..call.address import read_address
    from ..call.codes import read_code
    from ..call.meeting import dial_at, dial_by_hand, is_code

    options = _options(subject, mic, camera, speaker, right)
    head = _head(pose_track)
    wishes = _wishes(send, whole, accept, right)
    if address == STDIO:
        _over_stdio(options, bitrate, wishes, head)
        return
    if address.startswith(RTP):
        _over_rtp(address, True, options, bitrate, wishes, head)
        return
    by_hand = is_code(address)
    if by_hand:
        read_code(address, "offer")
    place = None if by_hand else read_address(address)
    with _line(stun) as (peer, playout, stop, exchange):
        if place is None:
            dial_by_hand(peer, address, lambda code: _show(code, "Send this code back:", qr))
        else:
            dial_at(peer, place)
        _converse(peer, playout, options, bitrate, stop, exchange, wishes, head)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8470,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for everybody.")] = "127.0.0.1",
) -> None:
    """Run a rendezvous: a place where callers leave sealed codes. It keeps nothing."""
    from ..call.serving import serve_rendezvous

    serve_rendezvous(host, port, print_line)


def _options(subject: str | None, mic: str | None, camera: str | None, speaker: str, right: bool) -> StartOptions:
    """What the daemon that shows the other side is started with. `mic_out` is where its voice goes: our loudspeaker."""
    from ..call.conversation import who_is_shown
    from ..config import load
    from ..daemon.options import StartOptions
    from ..store import Store

    if speaker not in ("auto", "on", "none"):
        raise UsageError(f"--speaker {speaker}: choose auto, on or none.")
    settings = load().override({"subject": subject, "mic": mic, "camera": camera, "mic_out": speaker})
    options = StartOptions(settings=settings, waived=right).with_absolute_paths()
    who_is_shown(options, Store())  # a refusal comes before anybody is called
    return options


@contextmanager
def _line(stun: str | None) -> Iterator[tuple[Peer, Playout, threading.Event, Exchange]]:
    """A peer, what takes in its speech, and what its messages; hung up at the end."""
    from ..call.exchange import Exchange
    from ..call.peer import Peer
    from ..call.playout import Playout

    playout, exchange = Playout(), Exchange()
    peer = Peer(playout.hear, exchange.hear, stun, playout.head.hear)
    try:
        yield peer, playout, threading.Event(), exchange
    finally:
        peer.close()


def _over_stdio(options: StartOptions, bitrate: int, wishes: Wishes, head: OwnHead) -> None:
    """A call over standard input and output; what is printed goes to standard error, and nobody can be asked."""
    from ..call.exchange import Exchange
    from ..call.framed import Framed
    from ..call.playout import Playout
    from ..daemon.signals import stopping_on_signals

    if sys.stdin.isatty() or sys.stdout.isatty():
        raise UsageError("Here is a terminal, no line: join both sides by pipes (docs/calls.md shows how, with ssh).")
    sys.stdout.flush()
    reader, writer = os.dup(0), os.dup(1)
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    playout, exchange, stop = Playout(), Exchange(), threading.Event()
    line = Framed(reader, writer, playout.hear, exchange.hear, playout.head.hear)
    try:
        with stopping_on_signals(stop):
            line.connect(stop)
        _converse(line, playout, options, bitrate, stop, exchange, wishes, head)
    finally:
        line.close()


def _over_rtp(place: str, calls: bool, options: StartOptions, bitrate: int, wishes: Wishes, head: OwnHead) -> None:
    """A call in plain RTP: to `place` (`calls`), or with whoever speaks to it first."""
    from ..call.exchange import Exchange
    from ..call.playout import Playout
    from ..call.rtp import Rtp, read_place
    from ..daemon.signals import stopping_on_signals

    if wishes.ours is not None:
        raise UsageError("Plain RTP carries speech alone: leave --send out, or call by a code.")
    playout, stop, where = Playout(), threading.Event(), read_place(place)
    line = Rtp(playout.hear, ("", 0) if calls else where, where if calls else None, playout.head.hear)
    try:
        if not calls:
            print_line(f"Waiting for speech at port {line.port}. This is not encrypted: whoever reaches it can speak.")
        with stopping_on_signals(stop):
            line.connect(stop)
        _converse(line, playout, options, bitrate, stop, Exchange(), wishes, head)
    finally:
        line.close()


def _wishes(send: str | None, whole: bool, accept: bool, right: bool) -> Wishes:
    """What becomes of the two portraits; a refusal to send ours comes before anybody is called."""
    from ..call.portraits import Wishes
    from ..compact.kept import for_calls
    from ..store import Store
    from ..trust.permission import permit

    store = Store()
    ours = store.get(send) if send else None
    if ours is not None:
        permit(ours, "call", waived=right)
        ours.verify()
        ours = ours if whole else for_calls(ours, store, print_note)  # stdout may be the line
    return Wishes(ours, (lambda proposal: True) if accept else _agree, print_line, right)


def _head(pose_track: Path | None) -> OwnHead:
    """Our head, led by a track from the first word on if there is one."""
    from ..call.head import OwnHead
    from ..stages.steer import Steering, read_track

    head = OwnHead()
    if pose_track is not None:
        head.steer(Steering("track", track=read_track(pose_track)))
    return head


def _agree(proposal: Proposal) -> bool:
    """Ask whoever sits at the terminal; nobody there is a no."""
    for heading, told in proposal.lines():
        print_line(f"  {heading}: {told}")
    if not sys.stdin.isatty():
        print_line("Nobody can be asked here whether to take this portrait: add --accept if you want it.", "yellow")
        return False
    return typer.confirm("The other side would like to be seen like this. Fetch and show it?")


def _converse(
    line: Line, playout: Playout, options: StartOptions, bitrate: int, stop: threading.Event, exchange: Exchange,
    wishes: Wishes, head: OwnHead,
) -> None:  # fmt: skip
    """The call, until one side hangs up."""
    from ..call.conversation import Conversation
    from ..call.opus import Config
    from ..call.portraits import passing
    from ..daemon.choose import choose_microphone
    from ..daemon.log import open_log
    from ..daemon.signals import stopping_on_signals
    from ..trust.limits import limit_memory
    from ..web.host import Host

    with stopping_on_signals(stop):
        open_log()
        limit_memory()
        open_microphone, notices = choose_microphone(options.settings.mic, options.loop)
        for notice in notices:
            print_line(notice, "yellow")
        portraits = passing(exchange, line.tell, wishes)
        call = Conversation(line, playout, open_microphone, stop, Config(bitrate), portraits, head=head)
        print_line(f"Connected ({line.describe()}). Hang up with Ctrl-C.", "bold green")
        try:
            call.begin()
            Host(options, stop, print_line, print_started, cast=call.cast).run()
        finally:
            call.end()
    print_line("The call is over.")


def _show(text: str, heading: str, qr: bool) -> None:
    """A code or address to pass on, and as a picture where somebody looks."""
    print_line(heading)
    print_line(text, "bold")
    if qr and sys.stdout.isatty():
        import segno

        segno.make(text, error="l", micro=False).terminal(compact=True)


def _ask() -> str:
    """The code that came back."""
    return str(typer.prompt("Paste the code that comes back", prompt_suffix=":\n"))

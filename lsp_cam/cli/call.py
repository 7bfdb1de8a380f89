"""`call`: speak with somebody and see their portrait, while only the voice travels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..trust import WAIVER
from .calling import Ours, by_webrtc, converse, over_rtp, over_stdio
from .console import Commands, print_line, print_note

if TYPE_CHECKING:
    from ..call.head import OwnHead
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

    options, head = _options(subject, mic, camera, speaker, right), _head(pose_track)
    ours = Ours(options, bitrate, _wishes(send, whole, accept, right), head)
    if via == STDIO:
        over_stdio(ours)
        return
    if via and via.startswith(RTP):
        over_rtp(via, False, ours)
        return
    address = Address(check_server(via)) if via else None
    with by_webrtc(stun) as (peer, theirs):
        if address is None:
            listen_by_hand(peer, lambda code: _show(code, "Send this code to the other side:", qr), _ask)
        else:
            listen_at(peer, address, lambda a: _show(a, "Send this address to the other side:", qr), theirs.stop)
        converse(peer, theirs, ours)


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

    options, head = _options(subject, mic, camera, speaker, right), _head(pose_track)
    ours = Ours(options, bitrate, _wishes(send, whole, accept, right), head)
    if address == STDIO:
        over_stdio(ours)
        return
    if address.startswith(RTP):
        over_rtp(address, True, ours)
        return
    by_hand = is_code(address)
    if by_hand:
        read_code(address, "offer")
    place = None if by_hand else read_address(address)
    with by_webrtc(stun) as (peer, theirs):
        if place is None:
            dial_by_hand(peer, address, lambda code: _show(code, "Send this code back:", qr))
        else:
            dial_at(peer, place)
        converse(peer, theirs, ours)


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

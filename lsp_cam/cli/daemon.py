"""The portrait on air: start, stop, status, switch, pose, mute, snapshot, devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..trust import WAIVER
from .console import print_json, print_line, text
from .statustable import lines_of

if TYPE_CHECKING:
    from ..daemon.options import StartOptions
    from ..daemon.runtime import Contact, Record

NOT_RUNNING = 3
STEERED = {
    "fixed": "The head is held.",
    "hold": "The head is held where it is.",
    "track": "The head follows the track.",
    "auto": "The speech moves the head.",
}
Right = Annotated[bool, typer.Option(WAIVER, help="Show somebody whose consent the bundle lacks: you answer.")]
Json = Annotated[bool, typer.Option("--json", help="For other programs.")]


def register(app: typer.Typer) -> None:
    """Hang the commands on `app`."""
    for command in (start, stop, status, switch, pose, mute, snapshot, devices):
        app.command()(command)


def start(
    subject: Annotated[str | None, typer.Option(help="Who is shown; see `lsp-cam subject list`.")] = None,
    mic: Annotated[
        str | None, typer.Option(help='Microphone (name or number), "Monitor of …", audio file, or auto.')
    ] = None,
    camera: Annotated[
        str | None, typer.Option(help="Virtual camera (name), pipewire, video file to write, preview, none, or auto.")
    ] = None,
    mic_out: Annotated[
        str | None, typer.Option(help="LSP Mic, the voice in time with the picture: auto, on, or none.")
    ] = None,
    fps: Annotated[int | None, typer.Option(help="Pictures per second, up to 60.")] = None,
    size: Annotated[
        str | None, typer.Option(help="Picture size, like 1280x720 (a virtual camera's default) or 720.")
    ] = None,
    fill: Annotated[
        str | None, typer.Option(help="What fills a frame of another shape: blur, a colour, or a picture.")
    ] = None,
    camera_format: Annotated[
        str | None, typer.Option(help="Pixels of the virtual camera: auto, i420, nv12 or yuy2.")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="What runs the networks.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads for the renderer.")] = None,
    mirror: Annotated[bool | None, typer.Option("--mirror/--no-mirror", help="Exchange left and right.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the head's random motion.")] = None,
    badge: Annotated[bool | None, typer.Option("--badge/--no-badge", help="Words in the picture: it is made.")] = None,
    right: Right = False,
    port: Annotated[int | None, typer.Option(help="Port of the preview page. Default: any free one.")] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay in this terminal.")] = False,
    loop: Annotated[bool, typer.Option("--loop/--once", help="An audio file: over and over, or once and stop.")] = True,
) -> None:
    """Go on air: the microphone speaks, the portrait shows in the camera."""
    from ..config import load
    from ..daemon.options import StartOptions

    settings = load().override(
        {"subject": subject, "mic": mic, "camera": camera, "mic_out": mic_out, "fps": fps, "size": size,
         "fill": fill, "camera_format": camera_format, "engine": engine, "threads": threads, "mirror": mirror,
         "seed": seed, "badge": badge, "port": port}
    )  # fmt: skip
    options = StartOptions(settings=settings, loop=loop, waived=right).with_absolute_paths()
    if foreground:
        _run_here(options)
        return
    from ..daemon.launch import launched

    with launched(options, print_line) as daemon:
        print_started(*daemon)
        print_line("It runs in the background. End it with: lsp-cam stop")


def stop() -> None:
    """Leave the air."""
    from ..daemon import launch
    from ..daemon.runtime import Runtime

    runtime = Runtime()
    if not runtime.is_running():
        print_line("lsp-cam is not running.")
        return
    if launch.stop(runtime):
        print_line(f"lsp-cam did not end within {launch.STOP_TIMEOUT_S:.0f} s and was killed.", "yellow")
    else:
        print_line("Stopped.")


def status(json: Json = False) -> None:
    """What goes on; exit code 3 when nothing runs."""
    from ..daemon.client import absence, connect
    from ..daemon.runtime import Runtime

    runtime = Runtime()
    if runtime.is_running():
        with connect(runtime) as client:
            told = client.get("/api/status")
        if json:
            print_json(told)
        else:
            for line, style in lines_of(told):
                print_line(line, style)
        return
    record = runtime.record()
    state = "stopped" if record is None else record.state if record.state in ("stopped", "failed") else "crashed"
    message = absence(runtime)
    if json:
        print_json({"state": state, "message": message})
    else:
        print_line(message, "" if state == "stopped" else "red")
    raise typer.Exit(NOT_RUNNING)


def switch(
    subject: Annotated[str, typer.Argument(help="Who is shown from now on.")],
    right: Right = False,
) -> None:
    """Show another subject, from one frame to the next."""
    from ..daemon.client import LOADING_TIMEOUT_S, connect

    with connect() as client:
        told = client.post("/api/switch", {"subject": subject, "waived": right}, LOADING_TIMEOUT_S)
    print_line(f"Now showing {told['subject']}.")


def pose(
    yaw: Annotated[float | None, typer.Option(help="Degrees to the picture's right.")] = None,
    pitch: Annotated[float | None, typer.Option(help="Degrees the chin lifts.")] = None,
    roll: Annotated[float | None, typer.Option(help="Degrees the head tilts to the picture's right.")] = None,
    x: Annotated[float | None, typer.Option(help="Right, in the subject's units.")] = None,
    y: Annotated[float | None, typer.Option(help="Up.")] = None,
    z: Annotated[float | None, typer.Option(help="Closer.")] = None,
    mirror: Annotated[bool, typer.Option("--mirror", help="Exchange left and right of the motion.")] = False,
    track: Annotated[Path | None, typer.Option(help="File of yaw,pitch,roll,x,y,z rows, 60 a second.")] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Keep the head where it is.")] = False,
    auto: Annotated[bool, typer.Option("--auto", help="Let the speech move the head again.")] = False,
) -> None:
    """Steer the head; without options, tell who steers it."""
    from ..daemon.client import connect

    fixed = {"yaw_deg": yaw, "pitch_deg": pitch, "roll_deg": roll, "x": x, "y": y, "z": z}
    given = {name: value for name, value in fixed.items() if value is not None}
    if sum((bool(given), track is not None, hold, auto)) > 1:
        raise UsageError("Choose one of: a fixed pose (--yaw …), --track FILE, --hold, --auto.")
    if not (given or track or hold or auto or mirror):
        with connect() as client:
            print_line(f"The head: {client.get('/api/status')['steering']}")
        return
    mode = "fixed" if given else "track" if track else "hold" if hold else "auto"
    body: dict[str, Any] = {"mode": mode, "mirror": mirror, **given}
    if track is not None:
        from ..stages.steer import read_track

        body["track"] = [[round(float(v), 4) for v in row] for row in read_track(track)]
    with connect() as client:
        client.post("/api/pose", body, timeout_s=30.0)
    print_line(STEERED[body["mode"]])


def mute(off: Annotated[bool, typer.Option("--off", help="Listen to the microphone again.")] = False) -> None:
    """Let the portrait hear silence."""
    from ..daemon.client import connect

    with connect() as client:
        client.post("/api/mute", {"on": not off})
    print_line("Listening again." if off else "Muted. To listen again: lsp-cam mute --off")


def snapshot(file: Annotated[Path, typer.Argument(help="Picture to write: .png or .jpg.")]) -> None:
    """Save what the camera shows now."""
    from ..daemon.client import connect
    from ..daemon.snapshot import check_kind, save

    check_kind(file)
    with connect() as client:
        save(client.get_bytes("/api/snapshot"), file)
    print_line(f"Saved {file}.")


def devices(json: Json = False) -> None:
    """List microphones and virtual cameras."""
    from dataclasses import asdict

    from ..devices.catalogue import list_devices

    found, missing = list_devices()
    if json:
        print_json({"devices": [asdict(d) for d in found], "missing": [asdict(m) for m in missing]})
        return
    for device in found:
        chosen = ", taken by auto" if device.is_default else ""
        option = "--mic" if device.kind == "microphone" else "--camera"
        name = f'"{device.id}"' if " " in device.id else device.id
        print_line(f"{device.kind:<11}{option} {name}: {device.name} ({device.detail}{chosen})")
    for lack in missing:
        print_line(f"{lack.kind:<11}none. {lack.reason}", "yellow")


def _run_here(options: StartOptions) -> None:
    import threading

    from ..daemon.log import open_log
    from ..daemon.signals import stopping_on_signals
    from ..trust.limits import limit_memory

    stop = threading.Event()
    with stopping_on_signals(stop):
        open_log()
        limit_memory()
        from ..web.host import Host

        Host(options, stop, print_line, print_started).run()
    print_line("Stopped.")


def print_started(record: Record, contact: Contact) -> None:
    """What is missing, who is on air, and where to see it."""
    from rich.console import Console
    from rich.panel import Panel

    for notice in record.notices:
        Console().print(Panel(text(notice), title="Missing", border_style="yellow", expand=False))
    print_line(f"On air: {record.subject}.", "bold green")
    print_line(f"Panel: {contact.link}")

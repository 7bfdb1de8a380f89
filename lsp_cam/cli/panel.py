"""What the panel does, as commands: panel, set, pause, hear."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from ..errors import DaemonError, UsageError
from .console import print_json, print_line
from .render import Blinks, Liveliness, Mouth, Shoulders

CAMERA_TIMEOUT_S = 30.0


def register(app: typer.Typer) -> None:
    """Hang the commands on `app`."""
    app.command()(panel)
    app.command("preview", hidden=True)(panel)
    app.command()(set)
    app.command()(pause)
    app.command()(hear)


def panel(json: Annotated[bool, typer.Option("--json", help="Address and token, for scripts.")] = False) -> None:
    """Open the panel in a browser, and print its link: see and steer the portrait."""
    from ..daemon.client import connect
    from ..daemon.runtime import Runtime

    runtime = Runtime()
    with connect(runtime):
        contact = runtime.contact()
    if contact is None:
        raise DaemonError("lsp-cam is still starting. Try again in a moment.")
    if json:
        print_json({"url": contact.base_url, "token": contact.token, "description": "/api/openapi.json"})
        return
    print_line(contact.link)
    if sys.stdout.isatty():
        import webbrowser

        webbrowser.open(contact.link)


def set(
    mic: Annotated[str | None, typer.Option(help="Microphone (name or number), auto, or sample.")] = None,
    camera: Annotated[str | None, typer.Option(help="Virtual camera (name or path), auto, or preview.")] = None,
    fps: Annotated[int | None, typer.Option(min=1, max=60, help="Pictures per second.")] = None,
    size: Annotated[str | None, typer.Option(help="Picture size, like 1280x720.")] = None,
    mirror: Annotated[bool | None, typer.Option("--mirror/--no-mirror", help="Exchange left and right.")] = None,
    liveliness: Liveliness = None,
    mouth: Mouth = None,
    shoulders: Shoulders = None,
    blinks: Blinks = None,
    reset: Annotated[bool, typer.Option("--reset", help="The subject as it was made; forget what was set.")] = False,
) -> None:
    """Change how the portrait is heard, shown and moved, while it is on air.

    Liveliness, mouth, shoulders and blinks are remembered for each subject.
    """
    from ..daemon.client import connect

    factors = {"liveliness": liveliness, "mouth": mouth, "shoulders": shoulders, "blinks": blinks}
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("/api/reset", {}) if reset else ("", {}),
        ("/api/microphone", {"device": mic}),
        ("/api/camera", {"camera": camera, "fps": fps, "size": size}),
        ("/api/mirror", {"on": mirror}),
        ("/api/manner", factors),
    ]
    asked = [(path, {k: v for k, v in body.items() if v is not None}) for path, body in wanted]
    asked = [(path, body) for path, body in asked if body or path == "/api/reset"]
    if not asked:
        raise UsageError("Nothing to set. `lsp-cam set --help` tells what can be.")
    with connect() as client:
        for path, body in asked:
            client.post(path, body, CAMERA_TIMEOUT_S)
    print_line("Done.")


def pause(off: Annotated[bool, typer.Option("--off", help="Show live pictures again.")] = False) -> None:
    """Let the camera show the same picture on and on; the voice goes on."""
    from ..daemon.client import connect

    with connect() as client:
        client.post("/api/pause", {"on": not off})
    print_line("Live again." if off else "Paused. To go on: lsp-cam pause --off")


def hear(
    seconds: Annotated[float, typer.Option(min=0.5, max=10.0, help="How long to listen.")] = 4.0,
    json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Check the microphone: say something, and be told how well you are heard."""
    from ..daemon.client import connect

    with connect() as client:
        if not json:
            print_line("Say something…")
        told = client.post("/api/microphone/check", {"seconds": seconds}, seconds + CAMERA_TIMEOUT_S)
    if json:
        print_json(told)
        return
    style = "" if told["verdict"] == "good" else "yellow"
    print_line(f"{told['advice']} (Speech {told['speech_dbfs']} dB, room {told['room_dbfs']} dB.)", style)

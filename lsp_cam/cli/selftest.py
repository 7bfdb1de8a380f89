"""`selftest`: a click and a flash through the real devices, heard and seen back."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DaemonError, DeviceError
from .console import print_json, print_line

if TYPE_CHECKING:
    from ..devices.base import AudioSink, FrameSink
    from ..selftest.run import Back, Findings

NOTICED_MS = 45.0
"""A voice that is further from its picture than this is noticed (ITU-R BT.1359)."""


def register(app: typer.Typer) -> None:
    """Hang the command on `app`."""
    app.command()(selftest)


def selftest(
    camera: Annotated[str | None, typer.Option(help="Virtual camera (name), pipewire, or preview.")] = None,
    mic_out: Annotated[bool, typer.Option("--mic-out/--no-mic-out", help="LSP Mic, too.")] = True,
    seconds: Annotated[float, typer.Option(min=3, max=600, help="How long to look and listen.")] = 10.0,
    size: Annotated[str, typer.Option(help="Picture size.")] = "1280x720",
    fps: Annotated[int, typer.Option(min=5, max=60, help="Pictures per second.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """A click and a flash through the real devices: is the picture there, does the voice keep time?

    Where there is no virtual camera, the preview is read back; where there is no LSP Mic, the picture alone is tested.
    Exit code 1: something that was sent did not come back.
    """
    from ..config import parse_size
    from ..daemon.runtime import Runtime
    from ..selftest.run import selftest as run

    if Runtime().is_running():
        raise DaemonError("lsp-cam is on air and has the devices. End it first: lsp-cam stop")
    notices: list[str] = []
    size_px = parse_size(size)
    sink, back = _camera(camera, size_px, notices)
    found = run(sink, back, _voice(notices) if mic_out else None, seconds, size_px, fps)
    if as_json:
        print_json({**asdict(found), "ok": found.ok, "notices": notices})
    else:
        for line in (*notices, *_lines(found)):
            print_line(line)
    raise typer.Exit(0 if found.ok else 1)


def _camera(wanted: str | None, size_px: tuple[int, int], notices: list[str]) -> tuple[FrameSink, Back]:
    """The camera, and how it is read back; the preview where there is none."""
    from ..daemon.options import PIPEWIRE, PREVIEW
    from ..devices.pipewirecam import PipewireCamera
    from ..devices.preview import PreviewSink
    from ..devices.virtualcam import VirtualCamera, check_camera
    from ..selftest.back import seen_in_camera, seen_in_pipewire, seen_in_preview
    from ..selftest.run import Back

    if wanted == PIPEWIRE:
        return PipewireCamera(), Back("PipeWire", lambda: seen_in_pipewire(*size_px))
    if wanted != PREVIEW:
        try:
            device = check_camera(wanted)
            if sys.platform == "linux":
                return VirtualCamera(device), Back(device, lambda: seen_in_camera(device))
            notices.append(f"{device} cannot be read back here: the preview is read back instead.")
        except DeviceError as error:
            if wanted is not None:
                raise
            notices.append(f"No virtual camera: the preview is read back instead. {error}")
    preview = PreviewSink()
    return preview, Back("the preview", lambda: seen_in_preview(preview))


def _voice(notices: list[str]) -> AudioSink | None:
    from ..devices.virtualmic import virtual_microphone
    from ..selftest.back import can_be_heard

    try:
        found = virtual_microphone()
    except DeviceError as error:
        notices.append(f"No virtual microphone: the picture alone is tested. {error}")
        return None
    if can_be_heard():
        return found
    notices.append(f"{found.describe()} cannot be heard back here: the picture alone is tested.")
    return None


def _lines(found: Findings) -> list[str]:
    lines = [f"Sent to {found.camera}; read back from {found.read_back}."]
    if found.delay_ms is None or found.jitter_ms is None:
        return [*lines, "No picture came back."]
    middle, most = found.delay_ms
    lines.append(
        f"Camera: {found.fps:.1f} of {found.fps_wanted} fps, delay {middle:.0f} ms (95 %: {most:.0f}), "
        f"jitter {found.jitter_ms:.0f} ms; {found.flashes} flashes seen."
    )
    if found.voice is None:
        return lines
    if found.offset_ms is None or found.spread_ms is None:
        return [*lines, f"{found.voice}: no click came back in time with a flash ({found.clicks} heard)."]
    side = "after" if found.offset_ms >= 0 else "before"
    judged = "nobody notices" if abs(found.offset_ms) + found.spread_ms < NOTICED_MS else "that can be noticed"
    return [
        *lines,
        f"{found.voice}: the voice is {abs(found.offset_ms):.0f} ms {side} its picture (± {found.spread_ms:.0f}), "
        f"{found.clicks} clicks heard: {judged}.",
    ]

"""What can be told to the daemon: POST, which changes something. `guard` decides who may."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter

from ..config import parse_size
from ..daemon.choose import open_camera, open_microphone
from ..daemon.core import Daemon
from ..daemon.hearing import Hearing, listen
from ..daemon.options import AUTO
from ..daemon.report import report
from ..daemon.status import CameraStatus, MicrophoneStatus
from ..devices.base import FrameSink
from ..devices.virtualcam import VirtualCamera
from .answers import Now
from .schema import (
    CameraRequest,
    CheckRequest,
    MannerRequest,
    MicrophoneRequest,
    OnRequest,
    PoseRequest,
    SwitchRequest,
)


def changing(daemon: Daemon, url: str) -> APIRouter:
    """The routes."""
    api = APIRouter(prefix="/api", tags=["change"])

    @api.post("/stop")
    def stop() -> dict[str, bool]:
        """End the daemon."""
        daemon.stop.set()
        return {"stopping": True}

    @api.post("/switch")
    def switch(request: SwitchRequest) -> dict[str, str]:
        """Show another subject; the answer comes when it is on air."""
        daemon.switch(request.subject, request.waived)
        return {"subject": daemon.subject}

    @api.post("/microphone")
    def microphone(request: MicrophoneRequest) -> MicrophoneStatus:
        """Listen to another microphone."""
        daemon.hear_from(open_microphone(request.device))
        return report(daemon, url).microphone

    @api.post("/microphone/check")
    def check(request: CheckRequest) -> Hearing:
        """Listen to somebody who says something, and tell how well they are heard."""
        return listen(lambda: daemon.listener.level_dbfs, request.seconds, daemon.stop)

    @api.post("/camera")
    def camera(request: CameraRequest) -> CameraStatus:
        """Show on another camera, at another rate, or in another size."""
        now = daemon.settings
        size = parse_size(request.size) if request.size else now.size
        daemon.reframe(replace(now, fps=request.fps or now.fps, size=size), _camera(daemon, request.camera))
        return report(daemon, url).camera

    _add_steering(api, daemon)
    _add_switches(api, daemon)
    return api


def _camera(daemon: Daemon, wanted: str | None) -> FrameSink | None:
    """The camera that is asked for, which may be the one that is on air."""
    now = daemon.outlets.camera
    if wanted is None or (isinstance(now, VirtualCamera) and now.is_called(None if wanted == AUTO else wanted)):
        return now
    return open_camera(wanted, daemon.settings.camera_format)


def _add_steering(api: APIRouter, daemon: Daemon) -> None:
    @api.post("/pose")
    def pose(request: PoseRequest) -> dict[str, str]:
        """Steer the head; a fixed pose is remembered for this subject. In a call: one's own, at the other side."""
        daemon.steer(request.steering())
        return {"mode": request.mode}

    @api.post("/manner")
    def manner(request: MannerRequest) -> dict[str, float]:
        """How much of everything the subject does; remembered for this subject."""
        wanted = request.manner(daemon.listener.manner)
        daemon.behave(wanted)
        return {name: getattr(wanted, name) for name in MannerRequest.model_fields}

    @api.post("/reset")
    def reset() -> Now:
        """The subject as it was made; what was remembered of it is forgotten."""
        daemon.reset()
        return Now(subject=daemon.subject, mode="auto")


def _add_switches(api: APIRouter, daemon: Daemon) -> None:
    @api.post("/mute")
    def mute(request: OnRequest) -> dict[str, bool]:
        """Let the portrait hear silence, or the microphone again."""
        daemon.mute(request.on)
        return {"muted": request.on}

    @api.post("/pause")
    def pause(request: OnRequest) -> dict[str, bool]:
        """Show the same picture on and on, or live ones again."""
        daemon.pause(request.on)
        return {"paused": request.on}

    @api.post("/mirror")
    def mirror(request: OnRequest) -> dict[str, bool]:
        """Exchange left and right of the picture."""
        daemon.mirror(request.on)
        return {"mirror": request.on}

"""What can be asked of the daemon: GET, which changes nothing."""

from __future__ import annotations

from dataclasses import asdict

import cv2
from fastapi import APIRouter, Path
from fastapi.responses import Response

from ..daemon.core import Daemon
from ..daemon.report import pulse, report
from ..daemon.status import Pulse, Status
from ..devices.catalogue import list_devices
from ..devices.readers import readers_of
from ..errors import BundleError
from ..store import Installed, Store
from .answers import Device, Devices, Lack, SubjectEntry

PREVIEW = "preview.jpg"


def reading(daemon: Daemon, store: Store, url: str) -> APIRouter:
    """The routes."""
    api = APIRouter(prefix="/api", tags=["read"])

    @api.get("/status")
    def status() -> Status:
        """What goes on."""
        return report(daemon, url)

    @api.get("/pulse", name="pulse")
    def beat() -> Pulse:
        """What changes from moment to moment: level, head, delay."""
        return pulse(daemon)

    @api.get("/snapshot", response_class=Response, responses={200: {"content": {"image/png": {}}}})
    def snapshot() -> Response:
        """What the camera shows now, as PNG."""
        done, data = cv2.imencode(".png", cv2.cvtColor(daemon.snapshot(), cv2.COLOR_RGB2BGR))
        assert done, "OpenCV always has PNG"
        return Response(data.tobytes(), media_type="image/png")

    @api.get("/devices")
    def devices() -> Devices:
        """Microphones and virtual cameras, and who reads those."""
        found, missing = list_devices()
        return Devices(
            devices=tuple(Device(**asdict(d), readers=readers_of(d.id) if d.kind == "camera" else ()) for d in found),
            missing=tuple(Lack(**asdict(lack)) for lack in missing),
        )

    @api.get("/subjects")
    def subjects() -> list[SubjectEntry]:
        """Who can be shown."""
        return [_entry(one, daemon.subject) for one in store.entries()]

    @api.get("/subjects/{name}/picture", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
    def picture(name: str = Path(max_length=64)) -> Response:
        """What a subject looks like, as JPEG."""
        subject = store.get(name)
        if PREVIEW not in subject.manifest.files:
            raise BundleError(f"'{name}' has no preview picture.")
        return Response(subject.read(PREVIEW), media_type="image/jpeg")

    return api


def _entry(one: Installed, on_air: str) -> SubjectEntry:
    if one.subject is None:
        return SubjectEntry(
            name=one.name, title=one.name, shows="", agreed="", licence="", has_consent=False, has_picture=False,
            on_air=one.name == on_air, problem=one.problem,
        )  # fmt: skip
    manifest = one.subject.manifest
    consent = manifest.consent
    return SubjectEntry(
        name=one.name,
        title=manifest.title,
        shows=consent.shows,
        agreed=dict(consent.lines())["agreed"],
        licence=manifest.licence,
        has_consent=consent.is_given,
        has_picture=PREVIEW in manifest.files,
        on_air=one.name == on_air,
        problem=None,
    )

"""The daemon's control interface and preview page. GET reads, POST changes; `guard` decides who may."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

import anyio.to_thread
import cv2
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from .. import __version__
from ..daemon.core import Daemon
from ..daemon.report import report
from ..daemon.status import Status
from ..devices.preview import PreviewSink
from ..errors import DaemonError, LspCamError, SubjectNotFound, UsageError
from .guard import Guard
from .schema import OnRequest, PoseRequest, SwitchRequest

BOUNDARY = b"frame"
WAIT_S = 0.5
MAX_WATCHERS = 8
STATUS_OF = ((SubjectNotFound, 404), (UsageError, 422), (DaemonError, 409), (LspCamError, 400))
PAGE = {
    "index.html": "text/html",
    "panel.css": "text/css",
    "panel.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


def create_app(daemon: Daemon, token: str, port: int) -> ASGIApp:
    """The whole application behind its guard."""
    app = FastAPI(title="lsp-cam", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")
    app.add_exception_handler(LspCamError, _told)
    app.add_exception_handler(RequestValidationError, _misfit)
    _add_reading(app, daemon, f"http://127.0.0.1:{port}/")
    _add_changing(app, daemon)
    _add_page(app, daemon)
    return Guard(app, token, port)


def _add_reading(app: FastAPI, daemon: Daemon, url: str) -> None:
    @app.get("/api/status")
    def status() -> Status:
        """What goes on."""
        return report(daemon, url)

    @app.get("/api/snapshot", response_class=Response)
    def snapshot() -> Response:
        """What the camera shows now, as PNG."""
        done, data = cv2.imencode(".png", cv2.cvtColor(daemon.snapshot(), cv2.COLOR_RGB2BGR))
        assert done, "OpenCV always has PNG"
        return Response(data.tobytes(), media_type="image/png")


def _add_changing(app: FastAPI, daemon: Daemon) -> None:
    @app.post("/api/stop")
    def stop() -> dict[str, bool]:
        """End the daemon."""
        daemon.stop.set()
        return {"stopping": True}

    @app.post("/api/switch")
    def switch(request: SwitchRequest) -> dict[str, str]:
        """Show another subject; the answer comes when it is on air."""
        daemon.switch(request.subject, request.waived)
        return {"subject": daemon.subject}

    @app.post("/api/pose")
    def pose(request: PoseRequest) -> dict[str, str]:
        """Steer the head."""
        daemon.steer(request.steering())
        return {"mode": request.mode}

    @app.post("/api/mute")
    def mute(request: OnRequest) -> dict[str, bool]:
        """Let the portrait hear silence, or the microphone again."""
        daemon.mute(request.on)
        return {"muted": request.on}

    @app.post("/api/mirror")
    def mirror(request: OnRequest) -> dict[str, bool]:
        """Exchange left and right of the picture."""
        daemon.mirror(request.on)
        return {"mirror": request.on}


def _add_page(app: FastAPI, daemon: Daemon) -> None:
    static = files(__package__) / "static"
    for name, kind in PAGE.items():
        path = "/" if name == "index.html" else f"/{name}"
        app.add_api_route(path, _file((static / name).read_bytes(), kind), include_in_schema=False)

    @app.get("/live", response_class=Response)
    async def live() -> Response:
        """The portrait as a stream of JPEGs (multipart/x-mixed-replace), as long as somebody takes it."""
        if daemon.preview.watchers >= MAX_WATCHERS:
            return JSONResponse({"detail": "Too many pages watch already. Close one."}, 503)
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
        return StreamingResponse(_pictures(daemon.preview, daemon.stop), media_type=kind)


def _file(data: bytes, kind: str) -> Callable[[], Response]:
    return lambda: Response(data, media_type=kind)


async def _pictures(preview: PreviewSink, stop: threading.Event) -> AsyncIterator[bytes]:
    """Part after part; the boundary goes out with the picture before it, so that browsers show that at once."""
    number = 0
    with preview.watch():
        yield b"--" + BOUNDARY + b"\r\n"
        while not stop.is_set():
            newest = await anyio.to_thread.run_sync(preview.wait_jpeg, number, WAIT_S)
            if newest is None:
                continue
            number, jpeg = newest
            head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
            yield head + jpeg + b"\r\n--" + BOUNDARY + b"\r\n"


async def _told(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in STATUS_OF if isinstance(error, kind))
    return JSONResponse({"detail": str(error), "kind": type(error).__name__}, status)


async def _misfit(request: Request, error: Exception) -> Response:
    """What does not fit, without repeating it: it may hold what JSON cannot."""
    assert isinstance(error, RequestValidationError)
    reasons = [f"{'.'.join(str(place) for place in e['loc'][1:])}: {e['msg']}" for e in error.errors()]
    return JSONResponse({"detail": "; ".join(reasons[:5]), "kind": "UsageError"}, 422)

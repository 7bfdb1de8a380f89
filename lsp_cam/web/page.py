"""The panel's files and the live preview. Only what lies in `static` when the daemon starts is ever served."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from importlib.resources import files

import anyio.to_thread
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ..daemon.core import Daemon
from ..devices.preview import PreviewSink

BOUNDARY = b"frame"
WAIT_S = 0.5
MAX_WATCHERS = 8
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def page(daemon: Daemon) -> APIRouter:
    """The routes."""
    api = APIRouter(include_in_schema=False)
    for file in (files(__package__) / "static").iterdir():
        path = "/" if file.name == "index.html" else f"/{file.name}"
        kind = KINDS[file.name.rpartition(".")[2]]
        api.add_api_route(path, _file(file.read_bytes(), kind), methods=["GET", "HEAD"])

    @api.get("/live", response_class=Response)
    async def live() -> Response:
        """The portrait as a stream of JPEGs (multipart/x-mixed-replace), as long as somebody takes it."""
        if daemon.preview.watchers >= MAX_WATCHERS:
            return JSONResponse({"detail": "Too many pages watch already. Close one."}, 503)
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
        return StreamingResponse(_pictures(daemon.preview, daemon.stop), media_type=kind)

    return api


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

"""How somebody sits before the camera while a new subject is recorded: one face, whole, large and in the middle?

Faces are found by the training's own finder, so that what is said here is what the training will say. It runs in a
process of its own, which comes when it is first asked and goes when it has not been asked for a while.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from ..errors import UsageError
from .answers import Answer

ENTRY = ("-c", "from lsp_cam.cli.entry import run; run()", "subject", "faces")
CHANNELS = 3
MOST_SIDE = 320
ANSWER_S = 60.0
IDLE_S = 30.0
RIVAL = 0.5
SMALL_PX, SMALL, LARGE = 120.0, 0.2, 0.62
OFF_CENTRE = 0.15
Side = Annotated[int, Query(ge=32, le=MOST_SIDE)]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A picture: width × height pixels, row after row, three bytes (red, green, blue) each.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Face(Answer):
    """A face: its centre and the side of its box, as shares of the picture's width, height and height."""

    x: float
    y: float
    side: float


class Framing(Answer):
    """What is seen. `is_checked`: whether anybody could look; `advice`: what to do, or why nobody could."""

    is_checked: bool
    is_good: bool
    advice: str
    faces: tuple[Face, ...] = ()


def judge(faces: tuple[Face, ...], film_height: int) -> Framing:
    """Whether a subject can be made of what is filmed so; `faces`: the largest first."""
    advice = _advice(faces, film_height)
    return Framing(is_checked=True, is_good=advice is None, advice=advice or "You are well in the picture", faces=faces)


def _advice(faces: tuple[Face, ...], film_height: int) -> str | None:
    if not faces:
        return "No face is seen: sit inside the outline and look here"
    face = faces[0]
    if any(other.side > RIVAL * face.side for other in faces[1:]):
        return "Two faces are seen: be alone in the picture"
    if face.side < SMALL or face.side * film_height < SMALL_PX:
        return "You are far away: come nearer"
    if face.side > LARGE:
        return "You are too near: hair, chin and shoulders must be seen"
    if abs(face.x - 0.5) > OFF_CENTRE:
        return "Sit in the middle of the picture"
    if face.y - 0.75 * face.side < 0:
        return "Your hair is cut off: sit lower, or tilt the camera up"
    return "Your chin and shoulders are cut off: sit higher" if face.y + face.side > 1 else None


class Finder:
    """The process that finds faces."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._idle = threading.Timer(0, self.close)

    def find(self, rgb: bytes, width: int, height: int) -> tuple[Face, ...]:
        """Faces of a picture, the largest first; UsageError with its last words if the process cannot."""
        with self._lock:
            self._idle.cancel()
            if self._process is None or self._process.poll() is not None:
                self._process = _started()
            line = _asked(self._process, struct.pack("<II", width, height) + rgb)
            try:
                found = tuple(Face(**one) for one in json.loads(line))
            except (ValueError, TypeError):
                self._end()
                said = line.decode("utf-8", "replace").strip().removeprefix("error: ")
                raise UsageError(said or "Faces cannot be looked for at the moment.") from None
            self._idle = threading.Timer(IDLE_S, self.close)
            self._idle.daemon = True
            self._idle.start()
            return found

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with process:
                pass


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *ENTRY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "1000"},
    )  # fmt: skip


def _asked(process: subprocess.Popen[bytes], question: bytes) -> bytes:
    """The line that the process answers (libraries say things of their own before it); else the last that it said."""
    assert process.stdin is not None
    assert process.stdout is not None
    patience = threading.Timer(ANSWER_S, process.kill)
    patience.start()
    with suppress(BrokenPipeError):  # it has said why
        process.stdin.write(question)
        process.stdin.flush()
    line = b""
    for line in process.stdout:
        if line.startswith(b"["):
            break
    patience.cancel()
    return line


def framing() -> APIRouter:
    """The route."""
    api = APIRouter(prefix="/api", tags=["create"])
    finder = Finder()

    @api.post("/framing", openapi_extra=BODY)
    async def frame(
        request: Request,
        width: Side,
        height: Side,
        film_height: Annotated[int, Query(ge=1, le=10_000, description="Rows that the film itself has.")] = 720,
    ) -> Framing:
        """Look how somebody sits before the camera. The picture is looked at, and not kept."""
        rgb = await request.body()
        if len(rgb) != CHANNELS * width * height:
            raise UsageError(f"Send {CHANNELS * width * height} bytes: three for each of {width} × {height} pixels.")
        try:
            faces = await run_in_threadpool(finder.find, rgb, width, height)
        except UsageError as error:
            return Framing(is_checked=False, is_good=False, advice=str(error))
        return judge(faces, film_height)

    return api

"""Dubbing: a recording comes in, the video of the subject speaking it goes out."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from starlette.concurrency import run_in_threadpool

from ..daemon.core import Daemon
from ..devices.wavfile import read_audio
from ..errors import DaemonError, SubjectNotFound
from ..packets import MOTION_FPS
from ..store import Store
from ..trust.permission import permit
from .answers import JobStatus
from .jobs import Job, Jobs
from .uploads import receive

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The recording, as it is.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class Dubs:
    """The dubs of this run, in `folder`, which is emptied when the next one begins."""

    def __init__(self, daemon: Daemon, store: Store, folder: Path) -> None:
        self._daemon, self._store, self._folder = daemon, store, folder
        self.jobs = Jobs("dub", daemon.stop)
        shutil.rmtree(folder, ignore_errors=True)

    async def add(self, request: Request, name: str, subject: str, fps: int) -> Job:
        """Take the recording in and begin; whatever is wrong with it is told at once."""
        self.jobs.check_free()
        permit(await run_in_threadpool(self._store.get, subject), "render")
        file = await receive(request, self._folder, name)
        try:
            await run_in_threadpool(read_audio, file)
            job = Job(secrets.token_hex(8), name)

            def ended(job: Job) -> None:
                file.unlink(missing_ok=True)
                if job.state != "done":
                    for part in self._folder.glob(f"{job.id}*"):
                        part.unlink()

            return self.jobs.start(job, self._words(job, file, subject, fps), ended)
        except BaseException:
            file.unlink(missing_ok=True)
            raise

    def find(self, key: str) -> Job:
        """A dub; SubjectNotFound if there is none of that id."""
        job = self.jobs.find(key)
        if job is None:
            raise SubjectNotFound("There is no such dub.")
        return job

    def video(self, key: str) -> tuple[Job, Path]:
        """A dub that is done, and its file."""
        job = self.find(key)
        if job.state != "done":
            raise DaemonError("This dub is not done. See how far it is.")
        return job, self._video(job)

    def _video(self, job: Job) -> Path:
        return self._folder / f"{job.id}.mp4"

    def _words(self, job: Job, file: Path, subject: str, fps: int) -> list[str]:
        memory = self._daemon.memory
        manner = asdict(memory.of(subject).manner) if memory is not None else {}
        liked = [word for name, factor in manner.items() for word in (f"--{name}", f"{factor:g}")]
        out = str(self._video(job))
        return ["render", str(file), "--subject", subject, "--fps", str(fps), "-o", out, "--plain-progress", *liked]


def dubbing(daemon: Daemon, store: Store, folder: Path) -> APIRouter:
    """The routes."""
    api = APIRouter(prefix="/api/dubs", tags=["dub"])
    dubs = Dubs(daemon, store, folder)

    @api.get("")
    def all_of_them() -> list[JobStatus]:
        """The dubs of this run, the newest first."""
        return [JobStatus.of(job) for job in dubs.jobs.all()]

    @api.post("", openapi_extra=BODY)
    async def add(
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=200, description="What the recording is called.")],
        subject: Annotated[str | None, Query(max_length=64, description="Who speaks it; who is shown now.")] = None,
        fps: Annotated[int, Query(ge=1, le=MOTION_FPS)] = 25,
    ) -> JobStatus:
        """Send a recording, and have a video made of it."""
        return JobStatus.of(await dubs.add(request, name, subject or daemon.subject, fps))

    @api.get("/{key}")
    def one(key: str) -> JobStatus:
        """How far a dub is."""
        return JobStatus.of(dubs.find(key))

    @api.post("/{key}/cancel")
    def cancel(key: str) -> JobStatus:
        """End a dub that is under way."""
        job = dubs.find(key)
        dubs.jobs.cancel(job)
        return JobStatus.of(job)

    @api.get("/{key}/video", response_class=FileResponse, responses={200: {"content": {"video/mp4": {}}}})
    def video(key: str) -> FileResponse:
        """The video of a dub that is done."""
        job, file = dubs.video(key)
        return FileResponse(file, media_type="video/mp4", filename=f"{Path(job.title).stem}.mp4")

    return api

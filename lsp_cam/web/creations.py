"""New subjects: a film comes in, consent is stated, and `subject create` runs beside the portrait on air.

Each has a folder of its own, so that it can be cancelled and gone on with, also after a restart. When the subject is
made, the folder goes, and with it the film.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from ..daemon.core import Daemon
from ..errors import DaemonError, SubjectNotFound, UsageError
from ..manifest import check_name
from ..store import Store
from ..trust.consent import Consent
from .answers import CreationStatus, Recording
from .dubs import BODY
from .jobs import Job, Jobs
from .schema import CreationRequest
from .uploads import receive

ORDER, CONSENT, WORK = "order.json", "consent.json", "work"
UNCLAIMED_S = 3600.0
STILLS = "render/stills.png"
FRAMES = ("frames.rgb", "kept.rgb")  # the film's pictures; then, in their place, those that are tracked
PICTURES: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}, "image/jpeg": {}}}}


class Creations:
    """What is being made, in `folder`/NAME; films that wait for their consent, in `films`."""

    def __init__(self, daemon: Daemon, store: Store, folder: Path, films: Path) -> None:
        self._store, self._folder, self.films = store, folder, films
        self.jobs = Jobs("training", daemon.stop)
        shutil.rmtree(films, ignore_errors=True)

    def forget_unclaimed(self) -> None:
        """Delete films of which nobody has made anything for `UNCLAIMED_S`: nobody is waiting for them any more."""
        for film in self.films.glob("*"):
            if time.time() - film.stat().st_mtime > UNCLAIMED_S:
                film.unlink(missing_ok=True)

    def begin(self, request: CreationRequest) -> Job:
        """Begin; UsageError if the name is taken, the film is not there, or nobody has agreed."""
        self.jobs.check_free()
        self._store.check_free(request.name)
        consent = Consent(**request.consent.model_dump())
        if not consent.is_given:
            raise UsageError("Nobody has agreed yet. State who did, and how.")
        home = self._folder / request.name
        if (home / ORDER).is_file():
            raise UsageError(f"'{request.name}' has been begun already. Go on with it, or delete it.")
        film = next(iter(self.films.glob(f"{request.recording}.*")), None)
        if film is None:
            raise SubjectNotFound("There is no such recording. Send it again.")
        shutil.rmtree(home, ignore_errors=True)  # what was killed before it had its order
        home.mkdir(parents=True, mode=0o700)
        (home / CONSENT).write_text(consent.model_dump_json())
        shutil.move(film, home / film.name)
        order = {"film": film.name, "licence": request.licence, "size": request.size, "minutes": request.minutes}
        (home / "order.part").write_text(json.dumps(order))
        os.replace(home / "order.part", home / ORDER)
        return self._run(request.name)

    def resume(self, name: str) -> Job:
        """Go on with what was cancelled, failed, or ended with the daemon."""
        self.find(name)
        return self._run(name)

    def find(self, name: str) -> Job:
        """What is known of it; SubjectNotFound if nothing is."""
        check_name(name)
        job = self.jobs.find(name)
        if job is None and not (self._folder / name / ORDER).is_file():
            raise SubjectNotFound(f"No subject '{name}' is being made.")
        return job or Job(name, name, "cancelled", message="It can be gone on with.")

    def all(self) -> list[Job]:
        """Those of this run, the newest first, then those that wait to be gone on with."""
        begun = sorted(place.parent.name for place in self._folder.glob(f"*/{ORDER}"))
        return self.jobs.all() + [self.find(name) for name in begun if self.jobs.find(name) is None]

    def delete(self, name: str) -> Job:
        """Forget it, its film included."""
        job = self.find(name)
        if job.state == "running":
            raise DaemonError("It is under way. Cancel it first.")
        shutil.rmtree(self._folder / name, ignore_errors=True)
        self.jobs.forget(name)
        return job

    def has_picture(self, name: str) -> bool:
        """Whether `picture` has something to give."""
        return any((self._folder / name / WORK / file).is_file() for file in (STILLS, *FRAMES))

    def picture(self, name: str) -> tuple[bytes, str]:
        """How the portrait looks so far, and what kind of picture that is: stills of the training, else of the film."""
        work = self._folder / self.find(name).id / WORK
        if (work / STILLS).is_file():
            return (work / STILLS).read_bytes(), "image/png"
        frames = next((work / name for name in FRAMES if (work / name).is_file()), None)
        if frames is None:
            raise SubjectNotFound("There is no picture of it yet.")
        side = int(json.loads((work / "request.json").read_text())["size"])
        pictures = np.memmap(frames, np.uint8, mode="r").reshape(-1, side, side, 3)
        _, data = cv2.imencode(".jpg", cv2.cvtColor(pictures[len(pictures) // 2], cv2.COLOR_RGB2BGR))
        return data.tobytes(), "image/jpeg"

    def _run(self, name: str) -> Job:
        home = self._folder / name
        order = json.loads((home / ORDER).read_text())
        words = ["subject", "create", str(home / order["film"]), "--name", name, "--consent", str(home / CONSENT)]
        words += ["--licence", order["licence"], "--size", str(order["size"]), "--work", str(home / WORK)]
        words += ["--minutes", str(order["minutes"])] if order["minutes"] else []
        words += ["--resume"] if (home / WORK / "marks").exists() else []

        def ended(job: Job) -> None:
            if job.state == "done":
                shutil.rmtree(home, ignore_errors=True)

        return self.jobs.start(Job(name, name), words, ended)


def creating(daemon: Daemon, store: Store, folder: Path) -> APIRouter:
    """The routes."""
    api = APIRouter(prefix="/api", tags=["create"])
    made = Creations(daemon, store, folder / "creations", folder / "films")

    def status_of(job: Job) -> CreationStatus:
        return CreationStatus.of(job).model_copy(update={"has_picture": made.has_picture(job.id)})

    @api.post("/recordings", openapi_extra=BODY)
    async def record(request: Request, name: Annotated[str, Query(min_length=1, max_length=200)]) -> Recording:
        """Send the film of somebody talking, of which a subject is to be made."""
        made.forget_unclaimed()
        file = await receive(request, made.films, name)
        return Recording(id=file.stem, bytes=file.stat().st_size)

    @api.post("/creations")
    def begin(request: CreationRequest) -> CreationStatus:
        """Make a subject of a film that was sent. Takes hours."""
        return status_of(made.begin(request))

    @api.get("/creations")
    def all_of_them() -> list[CreationStatus]:
        """Subjects that are being made, or wait to be gone on with."""
        return [status_of(job) for job in made.all()]

    @api.get("/creations/{name}")
    def one(name: str) -> CreationStatus:
        """How far it is."""
        return status_of(made.find(name))

    @api.get("/creations/{name}/picture", response_class=Response, responses=PICTURES)
    def picture(name: str) -> Response:
        """How the portrait looks so far."""
        data, kind = made.picture(name)
        return Response(data, media_type=kind)

    @api.post("/creations/{name}/cancel")
    def cancel(name: str) -> CreationStatus:
        """Stop for now; what is done stays."""
        job = made.find(name)
        made.jobs.cancel(job)
        return status_of(job)

    @api.post("/creations/{name}/resume")
    def resume(name: str) -> CreationStatus:
        """Go on."""
        return status_of(made.resume(name))

    @api.post("/creations/{name}/delete")
    def delete(name: str) -> CreationStatus:
        """Forget it, with its film."""
        return status_of(made.delete(name))

    return api

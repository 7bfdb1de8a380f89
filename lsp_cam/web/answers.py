"""What the control interface answers, where `daemon.status` does not say it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from .jobs import Job, State


class Answer(BaseModel):
    """Base: values that are told."""

    model_config = ConfigDict(frozen=True)


class Refusal(Answer):
    """Why a request was not met, and what to do. `kind`: the name of the error, where it is one of lsp_cam.errors."""

    detail: str
    kind: str | None = None


class Device(Answer):
    """A microphone or virtual camera. `id` is what to choose it by; `readers`: the programs that have it open."""

    kind: Literal["microphone", "camera"]
    id: str
    name: str
    is_default: bool
    detail: str
    readers: tuple[str, ...] = ()


class Lack(Answer):
    """Why there is no device of a kind, and what to do."""

    kind: Literal["microphone", "camera"]
    reason: str


class Devices(Answer):
    """Everything that can be heard with or shown on."""

    devices: tuple[Device, ...]
    missing: tuple[Lack, ...]


class SubjectEntry(Answer):
    """A subject of the store. `shows`, `agreed`: whose face it is, by whose leave.
    `problem`: why it cannot be shown."""

    name: str
    title: str
    shows: str
    agreed: str
    licence: str
    has_consent: bool
    has_picture: bool
    on_air: bool
    problem: str | None


class JobStatus(Answer):
    """Long work: `step` is what it does now, of which `share` (0 to 1) is done and `left` the time left, in words."""

    id: str
    title: str
    state: State
    step: str
    share: float
    left: str | None
    message: str

    @classmethod
    def of(cls, job: Job) -> Self:
        return cls(**{name: getattr(job, name) for name in JobStatus.model_fields})


class CreationStatus(JobStatus):
    """A subject that is being made; its id is its name. `has_picture`: there is one of how it looks so far."""

    has_picture: bool = False


class Recording(Answer):
    """A film that was received; `id` is what to ask for it by."""

    id: str
    bytes: int


class Now(Answer):
    """What holds from now on."""

    subject: str | None = None
    mode: str | None = None
    on: bool | None = None


REFUSALS: dict[int | str, dict[str, object]] = {
    code: {"model": Refusal, "description": description}
    for code, description in (
        (400, "It cannot be done as things are; `detail` says why and what to do."),
        (401, "The token is missing or wrong."),
        (403, "It was asked by another site, or of another host than 127.0.0.1."),
        (404, "There is no such thing."),
        (405, "This is read with GET, or changed with POST."),
        (409, "Something else is under way."),
        (413, "The body is too large."),
        (422, "The request does not fit its description."),
    )
}

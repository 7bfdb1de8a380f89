"""What the control interface takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..config import SIZE_PATTERN
from ..packets import MAX_MANNER, MOTION_FPS, Manner
from ..stages.steer import COLUMNS, MAX_ANGLE_DEG, MAX_SHIFT, Steering
from ..trust.consent import TEXT_MAX, How

MAX_TRACK_ROWS = 200_000

Name = Annotated[str, Field(min_length=1, max_length=64)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Row = Annotated[list[Number], Field(min_length=len(COLUMNS), max_length=len(COLUMNS))]
Angle = Annotated[float, Field(allow_inf_nan=False, ge=-MAX_ANGLE_DEG, le=MAX_ANGLE_DEG)]
Shift = Annotated[float, Field(allow_inf_nan=False, ge=-MAX_SHIFT, le=MAX_SHIFT)]
Factor = Annotated[float | None, Field(allow_inf_nan=False, ge=0, le=MAX_MANNER)]


class Request(BaseModel):
    """Base: unknown fields, and values of another type, are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SwitchRequest(Request):
    """Which subject to show. `waived`: the user answers for a consent that its bundle lacks."""

    subject: Name
    waived: bool = False


class OnRequest(Request):
    """Whether something is on."""

    on: bool = True


class PoseRequest(Request):
    """What moves the head; see `stages.steer.Steering`. `track`: rows of yaw, pitch, roll, x, y, z, 60 a second."""

    mode: Literal["auto", "fixed", "hold", "track"] = "auto"
    yaw_deg: Angle = 0.0
    pitch_deg: Angle = 0.0
    roll_deg: Angle = 0.0
    x: Shift = 0.0
    y: Shift = 0.0
    z: Shift = 0.0
    mirror: bool = False
    track: Annotated[list[Row], Field(max_length=MAX_TRACK_ROWS)] = []

    def steering(self) -> Steering:
        """As the chain takes it; UsageError on what is out of range."""
        values = self.model_dump(exclude={"track"})
        return Steering(**values, track=np.array(self.track, np.float32) if self.mode == "track" else None)


class MannerRequest(Request):
    """How much of everything the subject does: factors, 1 being as it was made. What is left out stays as it is."""

    liveliness: Factor = None
    mouth: Factor = None
    shoulders: Factor = None
    blinks: Factor = None

    def manner(self, now: Manner) -> Manner:
        """`now` with what was asked for."""
        return replace(now, **self.model_dump(exclude_none=True))


class MicrophoneRequest(Request):
    """Which microphone: its number or name (GET /api/devices), `auto`, or `sample`, a sample of speech."""

    device: Annotated[str, Field(min_length=1, max_length=200)]


class CheckRequest(Request):
    """How long to listen to somebody who says something."""

    seconds: Annotated[float, Field(ge=0.5, le=10)] = 4.0


class CameraRequest(Request):
    """How to show; what is left out stays as it is. `camera`: its name or path (GET /api/devices), `auto`, `pipewire`
    or `preview`. `size`: like 1280x720."""

    camera: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    fps: Annotated[int | None, Field(ge=1, le=MOTION_FPS)] = None
    size: Annotated[str | None, Field(pattern=f"^{SIZE_PATTERN.pattern}$", max_length=16)] = None


class ConsentRequest(Request):
    """Whose face it is, who agreed to it being shown, and how; see `trust.consent.Consent`."""

    shows: Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
    statement: Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
    agreed_by: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    how: How = "written"
    badge: bool = False


class CreationRequest(Request):
    """A subject to be made. `recording`: a film that was sent; `minutes`: how long to train, in place of as long as it
    takes."""

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,39}$")]
    recording: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    licence: Annotated[str, Field(min_length=1, max_length=200)]
    consent: ConsentRequest
    size: Literal[256, 512] = 512
    minutes: Annotated[float | None, Field(ge=0.1, le=10_000, allow_inf_nan=False)] = None

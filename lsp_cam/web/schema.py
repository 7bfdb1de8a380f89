"""What the control interface takes."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..stages.steer import Steering

MAX_TRACK_ROWS = 200_000

Number = Annotated[float, Field(allow_inf_nan=False)]


class Request(BaseModel):
    """Base: unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SwitchRequest(Request):
    """Which subject to show. `waived`: the user answers for a consent that its bundle lacks."""

    subject: Annotated[str, Field(min_length=1, max_length=64)]
    waived: bool = False


class OnRequest(Request):
    """Whether something is on."""

    on: bool = True


class PoseRequest(Request):
    """What moves the head; see `stages.steer.Steering`. `track`: rows of yaw, pitch, roll, x, y, z, 60 a second."""

    mode: Literal["auto", "fixed", "track"] = "auto"
    yaw_deg: Number = 0.0
    pitch_deg: Number = 0.0
    roll_deg: Number = 0.0
    x: Number = 0.0
    y: Number = 0.0
    z: Number = 0.0
    mirror: bool = False
    track: Annotated[list[tuple[Number, Number, Number, Number, Number, Number]], Field(max_length=MAX_TRACK_ROWS)] = []

    def steering(self) -> Steering:
        """As the chain takes it; UsageError on what is out of range."""
        values = self.model_dump(exclude={"track"})
        return Steering(**values, track=np.array(self.track, np.float32) if self.mode == "track" else None)

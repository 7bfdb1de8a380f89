"""What `start` was asked for; it travels as JSON from the command to the detached process."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..packets import MOTION_FPS

AUTO = "auto"
PREVIEW = "preview"
NONE = "none"


class StartOptions(BaseModel):
    """One start. `subject`, `engine`, `threads`: None leaves the choice to the program.

    `microphone`: `auto`, a device's name or number, or an audio file.
    `camera`: `auto`, `preview`, `none`, a device's name, or a video file to write.
    `size`: width and height; None is the subject's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    subject: str | None = None
    microphone: str = AUTO
    camera: str = AUTO
    fps: Annotated[int, Field(ge=1, le=MOTION_FPS)] = 30
    size: tuple[int, int] | None = None
    engine: str | None = None
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    mirror: bool = False
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    loop: bool = True


State = Literal["starting", "running", "stopping", "stopped", "failed", "crashed"]

"""What `start` was asked for; it travels as JSON from the command to the detached process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..config import BLUR, RunSettings, colour_of
from ..devices.monitor import is_monitor

AUTO = "auto"
PREVIEW = "preview"
PIPEWIRE = "pipewire"
NONE = "none"
SAMPLE = "sample"
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".mkv", ".webm", ".npy")
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm")

State = Literal["starting", "running", "stopping", "stopped", "failed", "crashed"]


class StartOptions(BaseModel):
    """One start. `loop`: a file that plays as the microphone starts again at its end; else it ends the daemon.

    `waived`: the user answers for a consent that the subject's bundle lacks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    settings: RunSettings = RunSettings()
    loop: bool = True
    waived: bool = False

    def with_absolute_paths(self) -> StartOptions:
        """The same, good in any working folder."""
        mic, camera, fill = self.settings.mic, self.settings.camera, self.settings.fill
        update = {
            "mic": str(_absolute(mic)) if is_audio_file(mic) else mic,
            "camera": str(_absolute(camera)) if is_video_file(camera) else camera,
            "fill": str(_absolute(fill)) if is_picture_file(fill) else fill,
        }
        return self.model_copy(update={"settings": self.settings.model_copy(update=update)})


def is_audio_file(mic: str) -> bool:
    """Whether a microphone is meant to be a file: it looks like one, or there is one of that name."""
    if mic == AUTO or is_monitor(mic):  # "Monitor of HDMI / DisplayPort" is no path
        return False
    return os.sep in mic or mic.lower().endswith(AUDIO_SUFFIXES) or Path(mic).is_file()


def is_video_file(camera: str) -> bool:
    """Whether a camera is meant to be a file to write."""
    return camera.lower().endswith(VIDEO_SUFFIXES)


def is_picture_file(fill: str) -> bool:
    """Whether a fill is meant to be a picture."""
    return fill != BLUR and colour_of(fill) is None


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()

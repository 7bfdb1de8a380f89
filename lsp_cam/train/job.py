"""What a creation is: the request, how much of everything, the work folder, and how it speaks."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lsp_cam.train.prepare.inspect import Limits
from lsp_cam.train.prepare.work import Work
from lsp_cam.train.render_fit import Device, Renderer
from lsp_cam.train.render_lite import LiteConfig
from lsp_cam.trust.consent import Consent

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What somebody asks for. `minutes`: for the renderer's training, in place of its own number of steps; where they
    are few, the other networks learn for a shorter time, too (`effort_for`). `vgg`: a file of VGG19's weights, for the
    perceptual loss of the renderers that have one."""

    videos: tuple[Path, ...]
    name: str
    consent: Consent
    licence: str
    size: int = 512
    renderer: Renderer = "lite"
    device: Device = "auto"
    minutes: float | None = None
    threads: int = 2
    vgg: Path | None = None

    def facts(self) -> dict[str, Any]:
        """What must be the same for a work folder to be gone on with; how long and where is free to change."""
        return {
            "videos": [{"name": path.name, "bytes": path.stat().st_size} for path in self.videos],
            "name": self.name,
            "size": self.size,
            "renderer": self.renderer,
        }


@dataclass(frozen=True)
class Effort:
    """How much of everything; the tests want less."""

    limits: Limits = field(default_factory=Limits)
    shortest_segment_s: float = 1.0
    train_share: float = 0.8
    variants: int = 4
    base_rows: int = 8192
    mouth_steps: int = 500
    pose_steps: int = 220
    render_steps: int | None = None
    lite: LiteConfig = field(default_factory=LiteConfig)
    checked_frames: int = 12
    seed: int = 1


WHOLE_MIN = 20.0
"""Minutes of the renderer's training below which the other trainings are shortened with it."""


def effort_for(minutes: float | None) -> Effort:
    """All of everything; where the renderer's training is to be short, the others are short in proportion."""
    whole = Effort()
    share = 1.0 if minutes is None else min(minutes / WHOLE_MIN, 1.0)

    def some(steps: int) -> int:
        return max(round(share * steps), 5)

    lite = replace(whole.lite, movement_steps=some(whole.lite.movement_steps), warm_steps=some(whole.lite.warm_steps))
    return replace(whole, mouth_steps=some(whole.mouth_steps), pose_steps=some(whole.pose_steps), lite=lite)


class Progress:
    """Says how far a stage is and how long it will take, not more often than anybody reads."""

    def __init__(self, say: Say, title: str, every_s: float = 10.0) -> None:
        self._say, self._title, self._every_s = say, title, every_s
        self._began = self._said = time.monotonic()
        self._from: float | None = None

    def __call__(self, share: float) -> None:
        """`share` (0..1) of the stage is done."""
        now = time.monotonic()
        if self._from is None:  # what an earlier run has done took this one no time
            self._from, self._began = share, now
        if now - self._said < self._every_s or share <= self._from:
            return
        self._said = now
        left = (now - self._began) * (1 - share) / (share - self._from)
        self._say(f"{self._title}: {share:.0%}, {in_words(left)} left")


def in_words(seconds: float) -> str:
    """A length of time as one says it: 40 s, 3 min, 1 h 20 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


@dataclass(frozen=True)
class Job:
    """A creation under way."""

    request: Request
    effort: Effort
    work: Work
    say: Say

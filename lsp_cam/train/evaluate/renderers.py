"""Small trainings for table 3's other rows: the published renderer, narrow and brief, whole and without its parts.

As in `ablations`, all have the same pictures, steps and seed: compare them with each other only. They draw the held-out
clip as bundles of their own, through the running program's stages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lsp_cam.stages.render import CONSTANTS_MODEL, MODEL
from lsp_cam.subject import Subject, bundle_like
from lsp_cam.train import render_fit
from lsp_cam.train.render_data import open_footage
from lsp_cam.train.render_gan import GanConfig
from lsp_cam.train.tracked import Tracked

WHOLE, NO_BODY, NO_CANDIDATES, PLAIN = "whole", "no upper body", "no candidates", "plain U-Net"
DRAWN = ("candidates/", MODEL, CONSTANTS_MODEL)  # the subject's own renderer, and what it draws with
RENDERERS = (WHOLE, NO_BODY, NO_CANDIDATES, PLAIN)
NOWHERE_PX = (4096.0, 4096.0)  # shoulders moved so far are not in the picture


@dataclass(frozen=True)
class Config:
    """How much to train. `width`: channels of the first layers of generator and discriminator; published: 64. Steps are
    few, so that rates are ten times the published ones.
    """

    steps: int
    width: int = 16
    rate: float = 1e-3
    last_rate: float = 1e-4
    threads: int = 2
    seed: int = 1


def renderers(
    subject: Subject,
    clip: Tracked,
    frames: NDArray[np.uint8],
    config: Config,
    work: Path,
    say: Callable[[str], None] = lambda what: None,
) -> Iterator[tuple[str, Subject]]:
    """Bundles below `work` like `subject`, each with another renderer: its name in the table, and the bundle.

    frames (T, S, S, 3) uint8 are the pictures of `clip`, S 256 or 512 (UsageError) and the subject's own.
    """
    settings = subject.manifest.settings
    for number, kind in enumerate(RENDERERS):
        out = work / f"renderer{number}"
        footage = open_footage(clip, frames, upper_body=kind != NO_BODY)
        best = render_fit.fit(
            footage,
            render_fit.Config(
                out, "plain" if kind == PLAIN else "normal", config.steps, train_share=0.95, checks=4,
                seed=config.seed, threads=config.threads,
                gan=GanConfig(
                    rate=config.rate, last_rate=config.last_rate, ngf=config.width, ndf=config.width,
                    candidates=kind != NO_CANDIDATES,
                ),
            ),
            say,
        )  # fmt: skip
        project = {**settings.get("project", {}), **({"shoulder_offset_px": NOWHERE_PX} if kind == NO_BODY else {})}
        fields = {"settings": {**settings, "project": project}}
        yield kind, bundle_like(subject, out / "bundle", render_fit.files(best), without=DRAWN, fields=fields)

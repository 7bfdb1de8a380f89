"""What compacting does to the pictures: the same speech through both, compared picture by picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..assets import sample_speech
from ..backends.base import Engine
from ..devices.wavfile import read_audio
from ..dub import begin, hear
from ..packets import UInt8
from ..pipeline import Pipeline, PipelineConfig
from ..stages.steer import Steering
from ..subject import Subject

PICTURES = 60
FIRST_FRAME = 60  # after the silence that every recording begins with
MOST_DB = 99.0
"""Said of pictures that are the same."""


@dataclass(frozen=True)
class Cost:
    """PSNR in dB between the whole and the compact subject's pictures: the median and the worst of PICTURES."""

    median_db: float
    worst_db: float


def cost_of(whole: Subject, compact: Subject, engine: Engine) -> Cost:
    """The cost for the sample speech, the head held: its own movement is chance, and would be all that is seen."""
    decibels = [psnr_db(a, b) for a, b in zip(*(_pictures(s, engine) for s in (whole, compact)), strict=True)]
    return Cost(round(float(np.median(decibels)), 1), round(min(decibels), 1))


def psnr_db(one: UInt8, other: UInt8) -> float:
    """Peak signal-to-noise ratio of two pictures of levels 0..255, MOST_DB at most."""
    error = float(np.mean(np.square(one.astype(np.float32) - other.astype(np.float32))))
    return MOST_DB if error == 0 else min(10 * float(np.log10(255**2 / error)), MOST_DB)


def _pictures(subject: Subject, engine: Engine) -> list[UInt8]:
    pipeline = Pipeline(subject, engine, PipelineConfig())
    landmarks, _ = hear(pipeline, read_audio(str(sample_speech())), begin(pipeline, Steering("fixed")), last=True)
    chosen = np.linspace(FIRST_FRAME, len(landmarks) - 1, PICTURES).astype(int)
    return [pipeline.render(pipeline.draw(landmarks[i])).pixels.copy() for i in chosen]

"""What workers do: plain functions of plain data, which may run on any machine and again after a loss."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..devices.h264 import Segment
from ..dub import begin, hear, shown
from ..errors import ModelError, SubjectError
from ..packets import Float32, LandmarkFrame, Manner
from ..pipeline import MotionState, PipelineConfig
from ..stages.steer import Steering

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..packets import UInt8
    from ..pipeline import Pipeline
    from ..subject import Subject


@dataclass(frozen=True)
class Rendering:
    """Who speaks, and on what. `digest`: of the subject's manifest; `folder`: where it lies on the first machine."""

    subject: str
    folder: Path
    digest: str
    config: PipelineConfig
    engine: str
    threads: int
    version: str = __version__


@dataclass(frozen=True)
class Job:
    """How the clips of a batch are dubbed. `words`: the badge in the pictures, if any."""

    rendering: Rendering
    fps: int
    steering: Steering
    manner: Manner
    words: str = ""


def film(job: Job, samples: Float32, suffix: str) -> bytes:
    """The film of a clip that is one segment: a whole file of the kind that `suffix` says."""
    landmarks, _ = listen(job, samples, None, len(samples), True)
    return join(job, [draw(job, landmarks)], samples, suffix)


def listen(
    job: Job, samples: Float32, state: MotionState | None, total: int, last: bool
) -> tuple[list[LandmarkFrame], MotionState]:
    """The landmarks of the pictures that become known by the next `samples` of a clip of `total`; the state for the
    samples after them. `state` None: these are the first."""
    pipeline = _pipeline(job.rendering)
    # A copy: what Ray hands over may only be read, and stages write to their state.
    state = begin(pipeline, job.steering, job.manner) if state is None else deepcopy(state)
    landmarks, state = hear(pipeline, samples, state, last)
    return shown(landmarks, total, job.fps), state


def draw(job: Job, landmarks: list[LandmarkFrame]) -> Segment:
    """The pictures of a segment, encoded."""
    from ..devices.fit import even
    from ..devices.h264 import encode_segment

    pipeline = _pipeline(job.rendering)
    side = even(pipeline.size)
    return encode_segment(_pictures(pipeline, landmarks, side, job.words), side, side, Fraction(job.fps))


def join(job: Job, segments: Iterable[Segment], samples: Float32, suffix: str) -> bytes:
    """The file that segments and speech make."""
    from ..devices.encode import Encoder, finalise
    from ..devices.fit import even
    from ..devices.videofile import SUFFIXES

    kind, side = SUFFIXES[suffix.lower()], even(_pipeline(job.rendering).size)
    with tempfile.TemporaryDirectory(prefix="lsp-cam-") as folder:
        part, made = Path(folder, "film.part"), Path(folder, f"film{suffix}")
        encoder = Encoder(part, kind, side, side, Fraction(job.fps))
        encoder.speech(samples)
        for segment in segments:
            encoder.segment(segment)
        encoder.close()
        finalise(part, made, kind)
        return made.read_bytes()


def _pictures(pipeline: Pipeline, landmarks: list[LandmarkFrame], side: int, words: str) -> Iterator[UInt8]:
    from ..devices.fit import Fitter
    from ..trust.marks import Marker

    marker, fitter = Marker(), Fitter(side, side)
    for landmark in landmarks:
        yield fitter.fit(marker.mark(pipeline.render(pipeline.draw(landmark)).pixels, words))


@lru_cache(maxsize=1)
def _pipeline(rendering: Rendering) -> Pipeline:
    """Kept from task to task: a worker loads its networks once."""
    from ..backends.choose import open_engine
    from ..pipeline import Pipeline
    from ..trust.limits import limit_memory

    if rendering.version != __version__:
        raise ModelError(
            f"A worker has lsp-cam {__version__}, this machine {rendering.version}. Install the same on every machine."
        )
    subject = _subject(rendering)
    limit_memory()
    return Pipeline(subject, open_engine(rendering.engine, rendering.threads), rendering.config)


def _subject(rendering: Rendering) -> Subject:
    """The same subject as on the first machine: in its folder there, or installed here."""
    from ..store import Store
    from ..subject import Subject

    try:
        subject = Subject.open(rendering.folder)
    except SubjectError:
        subject = Store().get(rendering.subject)
    if digest_of(subject) != rendering.digest:
        raise SubjectError(
            f"A worker has another subject called '{rendering.subject}' than this machine. Install the same archive "
            "on every machine of the cluster: lsp-cam subject export, then install."
        )
    return subject


def digest_of(subject: Subject) -> str:
    """What tells a subject from others, whatever it is called."""
    import hashlib

    return hashlib.sha256(subject.text).hexdigest()

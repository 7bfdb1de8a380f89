"""All tables for one subject and one piece of held-out footage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from lsp_cam.backends.base import Engine
from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32
from lsp_cam.pipeline import Pipeline
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate import ablations, renderers
from lsp_cam.train.evaluate.closure import lips_table
from lsp_cam.train.evaluate.figures import Row
from lsp_cam.train.evaluate.footage import HeldOut
from lsp_cam.train.evaluate.head import HeadTable
from lsp_cam.train.evaluate.mouth import heard_less, mouth_table
from lsp_cam.train.evaluate.phones import Found
from lsp_cam.train.evaluate.picture import Extras, Measured, TrackedMotion, measure, picture_row
from lsp_cam.train.evaluate.speaking import Spoken, speak
from lsp_cam.train.tracked import Tracked

SCHEMA = 1
MOTION_FPS = 60.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Config:
    """How much to measure: pictures rendered for Table 3, roll-outs of the head, and the small trainings, if any."""

    pictures: int = 200
    seeds: int = 5
    train: ablations.Config | None = None
    train_renderers: renderers.Config | None = None


@dataclass(frozen=True)
class Lesson:
    """Training footage, for the small trainings; pictures (T, S, S, 3) for those of renderers."""

    samples: Float32
    clip: Tracked
    frames: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Evaluation:
    """The tables, and what they were made from (for the page)."""

    subject: Subject
    held_out: HeldOut
    phones: Found
    clip: Tracked
    spoken: Spoken
    motion: TrackedMotion
    heads: HeadTable
    measured: list[Measured] = field(default_factory=list)
    figures: Row = field(default_factory=dict)


def check_subject(subject: Subject) -> Subject:
    """UsageError for a subject whose units are not millimetres (the authors' releases): errors in mm mean nothing."""
    if not np.isclose(float(subject.arrays("camera.npz", scale=())["scale"]), 1.0):
        raise UsageError(f"{subject.name} is not measured in millimetres. Only subjects made here can be evaluated.")
    return subject


def evaluate(
    subject: Subject,
    engine: Engine,
    held_out: HeldOut,
    phones: Found,
    extras: Extras,
    config: Config,
    rivals: list[Subject] | None = None,
    lesson: Lesson | None = None,
    say: Say = lambda what: None,
) -> Evaluation:
    """Every table; `rivals` are other subjects to measure beside it, the same network made otherwise, say."""
    check_subject(subject)
    say("speaking")
    spoken = speak(subject, engine, held_out.samples)
    clip = held_out.tracked.at_rate(MOTION_FPS)
    motion = TrackedMotion(spoken.pipeline, held_out)
    heads = HeadTable(subject, engine, spoken, clip, config.seeds)
    done = Evaluation(subject, held_out, phones, clip, spoken, motion, heads)
    figures = done.figures
    figures |= {"schema": SCHEMA, "subject": subject.name, **_footage(held_out)}
    say("mouth")
    figures["mouth"] = mouth_table(subject, spoken, clip)
    figures["mouth"]["heard_less"] = heard_less(subject, engine, spoken, clip)
    say("head")
    figures["head"] = _heads(heads, subject, rivals or [])
    say("lips")
    count = min(len(clip.points), len(spoken.faces))
    shown = spoken.faces[:count].astype(np.float64)
    figures["lips"] = lips_table(shown, clip.points[:count], phones.phones, phones.source)
    say("pictures")
    done.measured.extend(measure(motion, held_out, extras, config.pictures))
    figures["picture"] = [picture_row(subject.name, done.measured)]
    others = ((rival.name, check_subject(rival)) for rival in rivals or [])
    with TemporaryDirectory() as work:
        for name, other in chain(others, _renderers(subject, config, lesson, Path(work), say)):
            moved = TrackedMotion(Pipeline(other, engine), held_out)
            figures["picture"].append(picture_row(name, measure(moved, held_out, extras, config.pictures)))
    _train(done, engine, config, lesson, say)
    return done


def _footage(held_out: HeldOut) -> Row:
    return {
        "start_s": round(held_out.start_s, 3),
        "seconds": round(len(held_out.samples) / SAMPLE_RATE_HZ, 3),
        "fps": round(held_out.fps, 3),
        "size": int(held_out.frames.shape[1]),
    }


def _heads(table: HeadTable, subject: Subject, rivals: list[Subject]) -> list[Row]:
    rows = [table.generated(subject.name, subject), table.without_chance("without chance", subject)]
    rows += [table.generated(rival.name, rival) for rival in rivals]
    return [*rows, table.still("still head")]


def _renderers(
    subject: Subject, config: Config, lesson: Lesson | None, work: Path, say: Say
) -> Iterator[tuple[str, Subject]]:
    """Table 3's small trainings, where asked for: row and bundle."""
    if config.train_renderers is None or lesson is None or lesson.frames is None:
        return
    say("training renderers")
    for kind, other in renderers.renderers(subject, lesson.clip, lesson.frames, config.train_renderers, work, say):
        say(f"trained a renderer: {kind}")
        yield f"trained briefly: {kind}", other


def _train(done: Evaluation, engine: Engine, config: Config, lesson: Lesson | None, say: Say) -> None:
    """The small trainings, where asked for: fills `mouth.trained` and adds rows to `head`."""
    done.figures["trained_steps"] = config.train.steps if config.train else None
    done.figures["trained_renderer_steps"] = config.train_renderers.steps if config.train_renderers else None
    done.figures["mouth"]["trained"] = None
    if config.train is None or lesson is None:
        return
    say("training")
    lessons = ablations.lessons_of(done.subject, engine, lesson.samples, lesson.clip.at_rate(MOTION_FPS))
    rows = []
    for row in ablations.sweep(done.subject, engine, lessons, done.spoken.projected, done.clip, config.train):
        say(f"trained a mouth with {row['look_ahead_ms']} ms of look-ahead")
        rows.append(row)
    done.figures["mouth"]["trained"] = rows
    with TemporaryDirectory() as work:
        for kind, other in ablations.heads(done.subject, lessons, config.train, Path(work)):
            say(f"trained a head: {kind}")
            done.figures["head"].append(done.heads.generated(f"trained briefly: {kind}", other))

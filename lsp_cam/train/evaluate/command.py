"""The command's work: from a request to figures, and to a page if one is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lsp_cam.backends.base import Engine
from lsp_cam.errors import UsageError
from lsp_cam.stages.render import RenderConfig
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate import ablations, page, renderers
from lsp_cam.train.evaluate.faces import find_faces
from lsp_cam.train.evaluate.figures import Row
from lsp_cam.train.evaluate.follow import known
from lsp_cam.train.evaluate.footage import HeldOut, check_whole, open_held_out, read_truth
from lsp_cam.train.evaluate.lesson import read_lesson
from lsp_cam.train.evaluate.perceptual import find_lpips
from lsp_cam.train.evaluate.phones import find_phones
from lsp_cam.train.evaluate.picture import Extras
from lsp_cam.train.evaluate.run import Config, Lesson, Say, check_subject, evaluate
from lsp_cam.train.evaluate.tracking import track
from lsp_cam.train.export_render import SMALLEST_SIZE


@dataclass(frozen=True)
class Request:
    """What is to be measured, as the command line has it."""

    subject: Subject
    video: Path
    start_s: float = 0.0
    end_s: float | None = None
    tracked: Path | None = None
    rivals: list[Subject] = field(default_factory=list)
    pictures: int = 200
    seeds: int = 5
    train_on: Path | None = None
    steps: int = 150
    renderer_steps: int = 0
    threads: int = 2
    lpips: Path | None = None
    report: Path | None = None


def run(request: Request, engine: Engine, say: Say) -> Row:
    """The figures (see docs/evaluate.md); writes the page where one is wanted."""
    _check(request)
    if request.report is not None:
        page.prepare(request.report)
    perceived = find_lpips(request.lpips)
    lesson = _lesson(request)
    say("footage")
    held_out, tracking = _open(request)
    phones = find_phones(request.video, held_out.samples, held_out.start_s)
    trained = ablations.Config(request.steps) if lesson else None
    drawn = None
    if lesson and request.renderer_steps:
        drawn = renderers.Config(request.renderer_steps, threads=request.threads)
    config = Config(request.pictures, request.seeds, trained, drawn)
    extras = Extras(find_faces(), perceived)
    done = evaluate(request.subject, engine, held_out, phones, extras, config, request.rivals, lesson, say)
    done.figures["tracking"] = tracking
    if request.report is not None:
        say("page")
        page.write_page(done, request.report)
    return done.figures


def _check(request: Request) -> None:
    """Errors that can be told at once."""
    check_subject(request.subject)
    if not request.video.is_file():
        raise UsageError(f"There is no video {request.video}. Check the path.")
    if request.end_s is not None and request.end_s <= request.start_s:
        raise UsageError(f"--end {request.end_s:g} is not after --start {request.start_s:g}.")
    if request.renderer_steps and request.train_on is None:
        raise UsageError("--renderer-steps trains on the footage of --train-on. Give both.")
    if request.renderer_steps and _size(request) % SMALLEST_SIZE:
        raise UsageError(
            f"{request.subject.name}'s pictures are {_size(request)} pixels wide, and --renderer-steps trains "
            "renderers of 256 or 512. Leave it out."
        )


def _lesson(request: Request) -> Lesson | None:
    """The training footage, with pictures where renderers are to be trained."""
    if request.train_on is None:
        return None
    size = _size(request) if request.renderer_steps else None
    return read_lesson(request.train_on, request.video, request.start_s, size)


def _size(request: Request) -> int:
    return request.subject.config("render", RenderConfig).size


def _open(request: Request) -> tuple[HeldOut, Row | None]:
    """The footage, and how well it was tracked where that was done here."""
    subject = request.subject
    size = _size(request)
    if request.tracked is None:
        return track(request.video, known(subject), size, request.start_s, request.end_s)
    check_whole(request.tracked)
    return open_held_out(request.video, read_truth(request.tracked), size, request.start_s, request.end_s), None

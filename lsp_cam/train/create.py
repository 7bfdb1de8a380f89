"""`lsp-cam subject create`: from videos of somebody talking to a bundle, in stages that a kill cannot spoil.

Each stage reads what those before it left in the work folder, leaves its own, and is marked as done. Run again with
`resume`, finished stages are passed over, and the one that was under way goes on from what it had saved; the result is
that of a run which nothing interrupted.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lsp_cam.errors import UsageError
from lsp_cam.subject import Subject
from lsp_cam.train import create_bundle, create_check, create_motion, ranks
from lsp_cam.train.job import Effort, Job, Progress, Request, Say, effort_for
from lsp_cam.train.prepare import stages
from lsp_cam.train.prepare.work import Facts, Work, held, room_on_disk, write_json


class Stage(NamedTuple):
    """A stage: the name of its mark, what it is called, and what it does."""

    name: str
    title: str
    run: Callable[[Job, Callable[[float], None]], Facts]


STAGES = (
    Stage("inspect", "Looking through the video", stages.inspect_stage),
    Stage("crop", "Cropping", stages.crop_stage),
    Stage("landmarks", "Finding landmarks", stages.landmarks_stage),
    Stage("track", "Tracking camera and face", stages.track_stage),
    Stage("shoulders", "Tracking the upper body", stages.shoulders_stage),
    Stage("candidates", "Choosing candidate images", stages.candidates_stage),
    Stage("features", "Hearing the speech", create_motion.features_stage),
    Stage("mouth", "Training the mouth", create_motion.mouth_stage),
    Stage("pose", "Training the head pose", create_motion.pose_stage),
    Stage("renderer", "Training the renderer", create_bundle.renderer_stage),
    Stage("export", "Writing the bundle", create_bundle.export_stage),
    Stage("check", "Checking the bundle", create_check.check_stage),
)
TRACKED = "shoulders"
"""The stage after which the clip is tracked."""
RENDERER = "renderer"
"""The stage that all ranks work on."""


def create(
    request: Request,
    folder: Path,
    *,
    resume: bool,
    say: Say = print,
    effort: Effort | None = None,
    until: str = "check",
) -> Subject | None:
    """Make the bundle in the work folder `folder`/bundle; `until`: the last stage to run (None: no bundle yet).

    Of several ranks (`train.ranks`) all train the renderer, and the first does all else; the others give None. Raises
    UsageError where the request, the videos or the folder do not allow it, DeviceError where the disk is full.
    """
    effort = effort or effort_for(request.minutes)
    if not ranks.is_first():
        _help(Job(request, effort, Work(folder), say))
        return None
    for path in request.videos:
        if not path.is_file():
            raise UsageError(f"There is no file {path}. Check the path.")
    with held(folder):
        return _run(Job(request, effort, _begin(request, folder, resume), say), until)


def _run(job: Job, until: str) -> Subject | None:
    """The stages that are not done yet, up to and with `until`."""
    work = job.work
    for number, stage in enumerate(STAGES, 1):
        title = f"{number}/{len(STAGES)} {stage.title}"
        if stage.name == RENDERER:
            ranks.agreed(not work.is_done(RENDERER))
        if work.is_done(stage.name):
            job.say(f"{title}: done before")
        else:
            job.say(title)
            with room_on_disk(work.root):
                work.mark(stage.name, stage.run(job, Progress(job.say, title)))
        if stage.name == until:
            break
    return Subject.open(work.path("bundle")) if work.is_done("export") else None


def _help(job: Job) -> None:
    """What a rank does that is not the first: wait for the renderer's turn, and train it, too, if it is untrained."""
    if ranks.agreed(False):
        create_bundle.renderer_stage(job, lambda _: None)


def _begin(request: Request, folder: Path, resume: bool) -> Work:
    """The work folder, new or to be gone on with; UsageError if it is neither."""
    work, wanted = Work(folder), request.facts()
    noted = work.path("request.json")
    if not work.path("marks").exists():  # nothing is done yet: what was refused before may be put right
        with room_on_disk(folder):
            write_json(noted, wanted)
        return work
    if not resume:
        raise UsageError(
            f"'{request.name}' has been begun in {folder}. Add --resume to go on with it, or delete the folder to "
            "begin anew."
        )
    if json.loads(noted.read_text()) != wanted:
        raise UsageError(
            f"What was begun in {folder} was of other videos, of another size or for another renderer. Ask for the "
            "same again, or choose another folder with --work."
        )
    return work

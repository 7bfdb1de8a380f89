"""The loop that trains a renderer: checkpoints, the best validation kept, time left, and memory that runs out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from lsp_cam.errors import ModelError
from lsp_cam.train import checkpoint, ranks

TIMED_STEPS = 20  # that tell how long a step takes; no schedule depends on the number of steps so early
SPEAK_EVERY_S = 20.0


class Job(Protocol):
    """A renderer in training; everything that changes is in its `state`."""

    batch: int
    rng: np.random.Generator

    def begin(self) -> None:
        """What comes before the first step of a training that does not resume."""
        ...

    def step(self, step: int, steps: int) -> dict[str, float]:
        """Train on one batch, the `step`-th of `steps`; gives the losses."""
        ...

    def check(self) -> dict[str, float]:
        """Scores on frames that are not trained on: `psnr_db`, `ssim` and others."""
        ...

    def state(self) -> dict[str, Any]:
        """Weights and optimisers' states."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Back to what `state` gave."""
        ...

    def trained(self) -> dict[str, Any]:
        """What a finished renderer is made from again."""
        ...


@dataclass(frozen=True)
class Pace:
    """How long to train, in steps or (where `minutes` is given) in minutes of this machine; when to save and check.

    Gone on with for other `minutes` than it was begun for, a training lasts these from there on.
    """

    steps: int
    minutes: float | None = None
    save_every: int = 100
    check_every: int = 500


@dataclass
class _Progress:
    """Where a training is: what a checkpoint holds besides the job."""

    step: int = 0
    steps: int = 0
    best: float = -np.inf
    timed: int | None = None
    """After which step the time for one is known, and so how many steps `Pace.minutes` are; None: that is settled."""


def rank(scores: dict[str, float]) -> float:
    """How good a validation is: a hundredth of SSIM counts as one dB."""
    return scores["psnr_db"] + 100 * scores["ssim"]


def train(job: Job, out: Path, pace: Pace, say: Callable[[str], None] = print) -> Path:
    """Train, from the last checkpoint in `out` if there is one; returns the best renderer's file.

    Killed and started again, it ends with the same weights. Of several ranks each trains on batches of its own, and the
    first checks, writes and speaks. Raises ModelError if memory suffices not even for a batch of one picture.
    """
    out.mkdir(parents=True, exist_ok=True)
    say = say if ranks.is_first() else _silent
    place = _resume(job, out, pace, say)
    began, first, spoken = time.monotonic(), place.step, time.monotonic()
    while place.step < place.steps:
        losses = _step(job, place, say)
        place.step += 1
        spent = (time.monotonic() - began) / (place.step - first)
        settled = pace.minutes is not None and place.step == place.timed
        if pace.minutes is not None and settled:
            place.steps = ranks.agreed(first + max(TIMED_STEPS, int(60 * pace.minutes / spent)))
            place.timed = None
        if ranks.is_first():
            checkpoint.log_row(out / "render.csv", step=place.step, **losses, seconds=spent)
        final = place.step == place.steps
        if ranks.is_first() and (final or place.step % pace.check_every == 0):
            _check(job, out, place, say)
        if final or settled or place.step % pace.save_every == 0:
            _save(job, out, place, pace)
        if time.monotonic() - spoken > SPEAK_EVERY_S:
            spoken, left = time.monotonic(), (place.steps - place.step) * spent / 60
            say(f"Renderer: step {place.step} of {place.steps}, {spent:.2f} s a step, {left:.0f} min left.")
    return out / "render_best.pt"


def _resume(job: Job, out: Path, pace: Pace, say: Callable[[str], None]) -> _Progress:
    path = out / "render.pt"
    if not ranks.agreed(path.exists()):
        if ranks.is_first():
            job.begin()
        state = ranks.agreed(job.state())
        if not ranks.is_first():
            job.restore(state)
        job.rng = ranks.own(job.rng)
        return _Progress(steps=pace.steps, timed=None if pace.minutes is None else TIMED_STEPS)
    state = torch.load(path, weights_only=True, map_location="cpu")
    job.restore(state["job"])
    job.batch = state["batch"]
    checkpoint.restore_chance(state, job.rng)
    step, best = state["step"], state["best"]
    if pace.minutes is None:  # asked for by steps, a longer training goes on
        steps, timed = pace.steps, None
    elif pace.minutes == state.get("minutes"):  # its length is measured once
        steps, timed = state["steps"], state["timed"]
    else:
        timed = step + TIMED_STEPS
        steps = max(state["steps"], timed)
    say(f"Renderer: going on from step {step}" + ("." if timed else f" of {steps}."))
    return _Progress(step, steps, best, timed)


def _step(job: Job, place: _Progress, say: Callable[[str], None]) -> dict[str, float]:
    """One step, with a smaller batch when memory runs out."""
    while True:
        try:
            return job.step(place.step, place.steps)
        except torch.OutOfMemoryError as error:
            if ranks.count() > 1:  # the others wait for the gradients of this step, and cannot begin it anew
                raise ModelError(
                    f"There is too little memory on card {ranks.number()} for {job.batch} pictures at a time. "
                    "Choose --size 256, or train on one card."
                ) from error
            if job.batch == 1:
                raise ModelError(
                    "There is too little memory to train on even one picture at a time. "
                    "Choose --size 256, --renderer lite or --device cpu."
                ) from error
        job.batch //= 2
        say(f"Memory ran out: going on with {job.batch} pictures at a time.")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _check(job: Job, out: Path, place: _Progress, say: Callable[[str], None]) -> None:
    scores = job.check()
    checkpoint.log_row(out / "render_check.csv", step=place.step, **scores)
    say(f"Renderer: step {place.step}, " + ", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    if rank(scores) > place.best:
        place.best = rank(scores)
        checkpoint.write_whole(out / "render_best.pt", {**job.trained(), "step": place.step, "scores": scores})


def _save(job: Job, out: Path, place: _Progress, pace: Pace) -> None:
    chance = checkpoint.chance(job.rng, by_all=True)
    if not ranks.is_first():
        return
    state = {
        "step": place.step,
        "steps": place.steps,
        "minutes": pace.minutes,
        "timed": place.timed,
        "best": float(place.best),
        "batch": job.batch,
        "job": job.state(),
        **chance,
    }
    checkpoint.write_whole(out / "render.pt", state)


def _silent(_: str) -> None:
    pass

"""The loop: killed and resumed it ends alike, memory that runs out makes smaller batches, the best is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lsp_cam.errors import ModelError
from lsp_cam.train.render_loop import TIMED_STEPS, Pace, train


class Walk:
    """A job whose weight walks at random; `fits` pictures at a time fit into its memory."""

    def __init__(self, fits: int = 8, dies_at: int = -1) -> None:
        self.batch, self.rng = 8, np.random.default_rng(3)
        self.weight, self.begun, self.seen = 0.0, 0, []
        self._fits, self._dies_at = fits, dies_at

    def begin(self) -> None:
        self.begun += 1

    def step(self, step: int, steps: int) -> dict[str, float]:
        if self.batch > self._fits:
            raise torch.OutOfMemoryError("no room")
        if step == self._dies_at:
            raise KeyboardInterrupt
        self.seen.append((step, steps))
        self.weight += float(self.rng.normal()) + float(torch.rand(()))
        return {"loss": self.weight}

    def check(self) -> dict[str, float]:
        return {"psnr_db": -abs(self.weight - 1), "ssim": 0.0}

    def state(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def restore(self, state: dict[str, Any]) -> None:
        self.weight = state["weight"]

    def trained(self) -> dict[str, Any]:
        return {"weight": self.weight}


def test_killed_and_resumed_is_the_same(tmp_path: Path) -> None:
    pace = Pace(steps=9, save_every=2, check_every=3)
    torch.manual_seed(1)
    whole = Walk()
    best = torch.load(train(whole, tmp_path / "whole", pace))
    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        train(Walk(dies_at=5), tmp_path / "killed", pace)
    said: list[str] = []
    resumed = Walk()
    again = torch.load(train(resumed, tmp_path / "killed", pace, said.append))
    assert resumed.weight == whole.weight
    assert again == best
    assert resumed.begun == 0
    assert "going on from step 4 of 9" in said[0]


def test_the_best_validation_is_kept(tmp_path: Path) -> None:
    torch.manual_seed(1)
    best = torch.load(train(Walk(), tmp_path, Pace(steps=12, check_every=1)))
    rows = np.genfromtxt(tmp_path / "render_check.csv", delimiter=",", names=True)
    assert best["step"] == rows["step"][rows["psnr_db"].argmax()]
    assert best["step"] != 12


def test_memory_that_runs_out_makes_smaller_batches(tmp_path: Path) -> None:
    said: list[str] = []
    job = Walk(fits=2)
    train(job, tmp_path, Pace(steps=3), said.append)
    assert job.batch == 2
    assert [line for line in said if "Memory" in line] == [
        "Memory ran out: going on with 4 pictures at a time.",
        "Memory ran out: going on with 2 pictures at a time.",
    ]
    assert len(job.seen) == 3
    with pytest.raises(ModelError, match="--size 256"):
        train(Walk(fits=0), tmp_path / "none", Pace(steps=3))


def test_minutes_become_steps_once(tmp_path: Path) -> None:
    pace = Pace(steps=1000, minutes=0.0001, save_every=5)
    with pytest.raises(KeyboardInterrupt):
        train(Walk(dies_at=TIMED_STEPS - 1), tmp_path, pace)
    job = Walk()
    train(job, tmp_path, pace)
    assert TIMED_STEPS <= job.seen[-1][0] + 1 < 1000


def test_how_many_steps_they_are_is_not_measured_again_after_a_kill(tmp_path: Path) -> None:
    pace = Pace(steps=1000, minutes=1e-3, save_every=1000)
    with pytest.raises(KeyboardInterrupt):
        train(Walk(dies_at=TIMED_STEPS), tmp_path, pace)
    settled = torch.load(tmp_path / "render.pt", weights_only=True)["steps"]
    job = Walk()
    train(job, tmp_path, pace)
    assert [step for step, _ in job.seen] == list(range(TIMED_STEPS, settled))


def test_gone_on_with_for_other_minutes_it_lasts_these_from_there(tmp_path: Path) -> None:
    train(Walk(), tmp_path, Pace(steps=30, save_every=10))
    said: list[str] = []
    job = Walk()
    train(job, tmp_path, Pace(steps=30, minutes=1e-6, save_every=10), said.append)
    assert [step for step, _ in job.seen] == list(range(30, 30 + TIMED_STEPS))
    assert said[0] == "Renderer: going on from step 30."

"""Several processes that torchrun starts train the same weights, each on examples of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lsp_cam.assets import sample_speech
from lsp_cam.train import ranks
from lsp_cam.train.corpus import is_held_out
from lsp_cam.train.encoder import load_encoder
from tests.conftest import ROOT
from tests.train.ranked import BATCH, RATE, STEPS, tune

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def torchrun(*words: str | Path) -> None:
    """Run it with two ranks; its words are shown where it fails."""
    done = subprocess.run(
        [*TORCHRUN, *map(str, words)], cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks of `ranked.py` have written."""
    out = tmp_path_factory.mktemp("ranks")
    torchrun("-m", "tests.train.ranked", out)
    return out


@pytest.fixture(scope="module")
def fitted(out: Path) -> list[dict[str, Any]]:
    """What both ranks told."""
    assert len((out / "whole/render.csv").read_text().splitlines()) == 1 + STEPS  # one rank writes
    return [dict(np.load(out / f"rank{number}.npz")) for number in (0, 1)]


def test_all_ranks_end_with_the_weights_of_one_that_sees_all_their_examples(fitted: list[dict[str, Any]]) -> None:
    weight = bias = 0.0
    for step in range(STEPS):
        x, y = np.concatenate([rank["drawn"][step] for rank in fitted]).astype(np.float64).T
        assert len(x) == 2 * BATCH
        away = weight * x + bias - y
        weight, bias = weight - RATE * 2 * np.mean(away * x), bias - RATE * 2 * np.mean(away)
    for rank in fitted:
        np.testing.assert_allclose(rank["line"], [weight, bias], rtol=1e-5)


def test_each_rank_has_chance_of_its_own_and_goes_on_with_it(fitted: list[dict[str, Any]]) -> None:
    one, other = fitted
    assert not np.isclose(one["drawn"], other["drawn"]).any()
    for rank in fitted:
        np.testing.assert_array_equal(rank["again"], rank["drawn"])
        np.testing.assert_array_equal(rank["in_two_goes"], rank["line"])


def test_ranks_hear_one_another(fitted: list[dict[str, Any]]) -> None:
    for rank in fitted:
        assert list(rank["asked"]) == [0, 1]
        assert rank["agreed"] == 7
        np.testing.assert_array_equal(rank["turned"], 1.5 * np.arange(6).reshape(3, 2).T)


def test_encoder_and_mouth_are_tuned_by_all_ranks_and_written_by_one(out: Path, tmp_path: Path) -> None:
    assert len((out / "tuned/listener.csv").read_text().splitlines()) == 1 + 2
    together, alone = (torch.load(path, weights_only=True) for path in (out / "tuned/listener.pt", tune(tmp_path)))
    assert together["step"] == alone["step"] == 2
    weight = "mouth.fc.0.weight"
    assert not torch.equal(together["model"][weight], alone["model"][weight]), "the other rank's streams count as well"


def test_one_process_by_itself_is_the_first_of_one() -> None:
    with ranks.together():
        assert (ranks.number(), ranks.count()) == (0, 1)
        assert ranks.gathered(5) == [5]


def test_the_encoder_is_trained_by_the_command_that_users_give(tmp_path: Path) -> None:
    speakers = [next(filter(is_held_out, map("speaker{}".format, range(60)))), "anna", "bert"]
    assert [is_held_out(name) for name in speakers] == [True, False, False]
    (tmp_path / "speech").mkdir()
    for name in speakers:
        shutil.copy(sample_speech(), tmp_path / f"speech/{name}.ogg")
    command = [Path(sys.executable).with_name("lsp-cam"), "train", "speech", tmp_path / "speech", "--steps", "2"]
    torchrun("--no-python", *command, "--out", tmp_path / "out", "--threads", "1")
    rows = (tmp_path / "out/speech.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["step", "1", "2"]
    load_encoder(tmp_path / "out/speech_encoder.npz")

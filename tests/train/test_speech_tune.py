"""Fine-tuning of encoder and mouth together, a few steps on made-up speech."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.train import speech_tune
from lsp_cam.train.lanes import Spoken
from lsp_cam.train.models.speech import SpeechForesight


def test_it_learns_and_a_killed_run_ends_as_an_unkilled_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mels = [np.abs(rng.normal(0.4, 0.2, (2 * n, 80))).astype(np.float16) for n in (20, 30)]
    known = [Spoken(m, np.repeat(3 * m[::2, :1], 75, axis=1)) for m in mels]
    unknown = [Spoken(mels[0], None)]
    torch.manual_seed(0)
    start = SpeechForesight()
    config = speech_tune.Config(
        tmp_path / "a", steps=8, lanes=3, unlabelled=1, frames=8, warmup=2, threads=1, episode=2
    )
    whole = torch.load(speech_tune.fit(known, unknown, start, config), weights_only=True)["model"]
    curve = np.loadtxt(config.out / "listener.csv", delimiter=",", skiprows=1)
    assert curve.shape == (8, 4)
    assert (curve[-2:, 1:].mean(0) < curve[:2, 1:].mean(0)).all()
    assert not torch.equal(
        whole["speech.encoder.rnns.0.weight_hh_l0"], start.state_dict()["encoder.rnns.0.weight_hh_l0"]
    )
    parts = dataclasses.replace(config, out=tmp_path / "b")
    real = speech_tune.checkpoint.cosine_rate
    with pytest.MonkeyPatch.context() as patch:  # the first part of the same run: its rates are those of the whole
        patch.setattr(speech_tune.checkpoint, "cosine_rate", lambda step, steps, *rest: real(step, 8, *rest))
        speech_tune.fit(known, unknown, start, dataclasses.replace(parts, steps=4))
    resumed = torch.load(speech_tune.fit(known, unknown, start, parts), weights_only=True)["model"]
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)

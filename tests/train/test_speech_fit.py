"""Pre-training of the speech encoder on a tiny corpus of hums."""

import dataclasses
import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.train.corpus import is_held_out, load_corpus
from lsp_cam.train.encoder import load_encoder
from lsp_cam.train.models.speech import SpeechEncoder
from lsp_cam.train.speech_fit import Config, Progress, fit, untrained_loss


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    names = [f"speaker{k}" for k in range(40)]
    chosen = [n for n in names if is_held_out(n)][:1] + [n for n in names if not is_held_out(n)][:3]
    for k, name in enumerate(chosen):
        t = np.arange(16_000) / 16_000
        hum = 0.3 * np.sin(2 * np.pi * (150 + 40 * k) * t * (1 + 0.1 * np.sin(5 * t)))
        with wave.open(str(folder / f"{name}.wav"), "wb") as out:
            out.setparams((1, 2, 16_000, 0, "NONE", ""))
            out.writeframes((hum * 32767).astype("<i2").tobytes())
    return folder


@pytest.fixture
def config(folder: Path, tmp_path: Path) -> Config:
    return Config(
        (folder,),
        cache=tmp_path / "cache",
        out=tmp_path / "out",
        steps=6,
        batch=2,
        rows=40,
        threads=1,
        coded=0.3,
        save_every=3,
        check_every=3,
    )


def test_loss_falls_and_a_killed_run_ends_as_an_unkilled_one(config: Config) -> None:
    told: list[Progress] = []
    whole = np.load(fit(config, told.append))
    losses = np.loadtxt(config.out / "speech.csv", delimiter=",", skiprows=1)[:, 1]
    assert losses[-1] < losses[0]
    parts = dataclasses.replace(config, out=config.out.parent / "parts")
    _stop_after(parts, 4)  # between two checkpoints
    resumed = np.load(fit(parts))
    assert all(np.array_equal(whole[key], resumed[key]) for key in whole.files)
    assert [now.step for now in told] == [1, 2, 3, 4, 5, 6]
    assert [now.step for now in told if now.held_out] == [3, 6]
    _is_the_best(config, load_encoder(config.out / "speech_encoder.npz"))


def _is_the_best(config: Config, encoder: SpeechEncoder) -> None:
    """The encoder that is stored is that of the checkpoint with the lowest score in the curve."""
    kept = torch.load(config.out / "speech_best.pt", weights_only=True)
    curve = np.loadtxt(config.out / "speech_check.csv", delimiter=",", skiprows=1)
    assert kept["score"] == pytest.approx(curve[:, 1].min(), rel=1e-4)
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(value, kept["model"][f"encoder.{key}"], atol=1e-4, rtol=1e-3)


def _stop_after(config: Config, steps: int) -> None:
    """Run `fit` and break it off after a number of steps, as a kill would."""
    from lsp_cam.train import checkpoint

    real = checkpoint.log_row

    def log(path: Path, **values: float) -> None:
        real(path, **values)
        if path.name == "speech.csv" and values["step"] == steps:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "log_row", log)
        with pytest.raises(KeyboardInterrupt):
            fit(config)


def test_speakers_are_held_out_whole(folder: Path, tmp_path: Path) -> None:
    corpus = load_corpus([folder], tmp_path)
    train, held_out = corpus.files(held_out=False), corpus.files(held_out=True)
    assert len(held_out) == 1
    assert not set(train) & set(held_out)
    assert len(corpus.audio(train[0])) == 16_000


def test_an_untrained_encoder_is_scored_with_its_best_head() -> None:
    rows = torch.sin(torch.arange(0, 80).float() / 7).expand(1, 1, 80).repeat(2, 60, 1)
    assert untrained_loss([rows], [rows], 3) < 0.05

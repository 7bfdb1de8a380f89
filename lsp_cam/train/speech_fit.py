"""Pre-training of the speech encoder on unlabelled speech (section 3.1): foresee the mel row `shift` rows ahead."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.stages.mel import PIECE_SAMPLES, ROW_RATE_HZ, mel_rows
from lsp_cam.train import checkpoint
from lsp_cam.train.augment import augment
from lsp_cam.train.corpus import Corpus, load_corpus
from lsp_cam.train.models.speech import SpeechForesight


@dataclass(frozen=True)
class Config:
    """What to train on and how long."""

    folders: tuple[Path, ...]
    cache: Path
    out: Path
    steps: int = 300
    batch: int = 64
    rows: int = 200
    shift: int = 3
    rate: float = 1.5e-3
    last_rate: float = 5e-5
    clip: float = 1.0
    seed: int = 1
    threads: int = 2
    save_every: int = 25
    check_every: int = 50


def draw(corpus: Corpus, files: list[str], config: Config, rng: np.random.Generator, vary: bool) -> Tensor:
    """Mel rows (B, rows, 80) of random places, files weighted by their length."""
    lengths = np.array([corpus.spans[name][1] for name in files], float)
    seconds = (config.rows - 1) / ROW_RATE_HZ + PIECE_SAMPLES / SAMPLE_RATE_HZ
    batch = np.empty((config.batch, config.rows, 80), np.float32)
    for k, which in enumerate(rng.choice(len(files), config.batch, p=lengths / lengths.sum())):
        latest = max(0.0, lengths[which] / SAMPLE_RATE_HZ - seconds)
        audio = corpus.audio(files[which], rng.uniform(0, latest), seconds)
        batch[k] = mel_rows(augment(audio, rng) if vary else audio, config.rows)
    return torch.from_numpy(batch)


def loss_of(model: SpeechForesight, mel: Tensor, shift: int) -> Tensor:
    """L1 between foreseen and true rows; the first half second is only listened to, as states start empty."""
    start = min(60, mel.shape[1] // 4)
    return functional.l1_loss(model(mel[:, :-shift])[:, start:], mel[:, start + shift :])


@dataclass(frozen=True)
class Validation:
    """L1 on held-out speakers: of the model, and of repeating the last row."""

    model: float
    repeat_last: float


def validate(model: SpeechForesight, batches: list[Tensor], shift: int) -> Validation:
    """Mean L1 over held-out batches, beside "the row `shift` ahead is the row of now"."""
    model.eval()
    with torch.no_grad():
        own = [float(loss_of(model, mel, shift)) for mel in batches]
    start = min(60, batches[0].shape[1] // 4)
    last = [float((mel[:, start + shift :] - mel[:, start:-shift]).abs().mean()) for mel in batches]
    model.train()
    return Validation(float(np.mean(own)), float(np.mean(last)))


def untrained_loss(train: list[Tensor], held_out: list[Tensor], shift: int, ridge: float = 1e-2) -> float:
    """L1 of the best linear head on an encoder with random weights: what training the encoder itself is worth."""
    torch.manual_seed(0)
    encoder = SpeechForesight().encoder
    start = min(60, train[0].shape[1] // 4)

    def features(mel: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.no_grad():
            out = encoder(mel[:, :-shift])[0][:, start:].reshape(-1, 512).numpy()
        return np.column_stack([out, np.ones(len(out), np.float32)]), mel[:, start + shift :].reshape(-1, 80).numpy()

    pairs = [features(mel) for mel in train]
    x, y = np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])
    head = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
    return float(np.mean([np.abs(a @ head - b).mean() for a, b in map(features, held_out)]))


def fit(config: Config) -> Path:
    """Train, resuming from the last checkpoint if there is one; returns the checkpoint's path."""
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    corpus = load_corpus(list(config.folders), config.cache)
    train, held_out = corpus.files(held_out=False), corpus.files(held_out=True)
    fixed = np.random.default_rng(config.seed + 1)
    checks = [draw(corpus, held_out, config, fixed, vary=False) for _ in range(2)]
    model = SpeechForesight()
    optimizer = torch.optim.Adam(model.parameters(), config.rate)
    rng = np.random.default_rng(config.seed)
    path = config.out / "speech.pt"
    for step in range(checkpoint.resume(path, model, optimizer, rng), config.steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate))
        loss = loss_of(model, draw(corpus, train, config, rng, vary=True), config.shift)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        last = step + 1 == config.steps
        if last or (step + 1) % config.check_every == 0:
            now = validate(model, checks, config.shift)
            scores = {"held_out": now.model, "repeat": now.repeat_last}
            checkpoint.log_row(config.out / "speech_check.csv", step=step + 1, **scores)
        if last or (step + 1) % config.save_every == 0:
            checkpoint.save(path, step + 1, model, optimizer, rng)
        checkpoint.log_row(config.out / "speech.csv", step=step + 1, loss=loss.item())
    return path


def main() -> None:
    """Command line for the days before `lsp-cam train speech` exists."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--out", type=Path, default=Path("runs/speech"))
    parser.add_argument("--steps", type=int, default=Config.steps)
    parser.add_argument("--threads", type=int, default=Config.threads)
    options = parser.parse_args()
    fit(Config(tuple(options.folders), options.cache, options.out, options.steps, threads=options.threads))


if __name__ == "__main__":
    main()

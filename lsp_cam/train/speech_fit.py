"""Pre-training of the speech encoder on unlabelled speech (section 3.1): foresee the mel row `shift` rows ahead."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lsp_cam.errors import AudioError
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.stages.mel import PIECE_SAMPLES, ROW_RATE_HZ, mel_rows
from lsp_cam.train import checkpoint, ranks
from lsp_cam.train.augment import augment
from lsp_cam.train.corpus import Corpus, load_corpus
from lsp_cam.train.encoder import save_encoder
from lsp_cam.train.models.speech import SpeechForesight

ENCODER_FILE = "speech_encoder.npz"


@dataclass(frozen=True)
class Config:
    """What to train on and how long; `coded`: share of the recordings that go through a codec first."""

    folders: tuple[Path, ...]
    cache: Path
    out: Path
    steps: int = 3000
    batch: int = 32
    rows: int = 160
    shift: int = 3
    rate: float = 1.5e-3
    last_rate: float = 5e-5
    clip: float = 1.0
    coded: float = 0.1
    seed: int = 1
    threads: int = 2
    by_folder: bool = False
    save_every: int = 25
    check_every: int = 100


@dataclass(frozen=True)
class Validation:
    """L1 on held-out speakers: of the model, and of repeating the last row."""

    model: float
    repeat_last: float


@dataclass(frozen=True)
class Progress:
    """Where training stands: steps done of all, the last loss, the last validation if there was one."""

    step: int
    steps: int
    loss: float
    held_out: Validation | None


def draw(corpus: Corpus, files: list[str], config: Config, rng: np.random.Generator, vary: bool) -> Tensor:
    """Mel rows (B, rows, 80) of random places, files weighted by their length."""
    lengths = np.array([corpus.spans[name][1] for name in files], float)
    seconds = (config.rows - 1) / ROW_RATE_HZ + PIECE_SAMPLES / SAMPLE_RATE_HZ
    batch = np.empty((config.batch, config.rows, 80), np.float32)
    for k, which in enumerate(rng.choice(len(files), config.batch, p=lengths / lengths.sum())):
        latest = max(0.0, lengths[which] / SAMPLE_RATE_HZ - seconds)
        audio = corpus.audio(files[which], rng.uniform(0, latest), seconds)
        batch[k] = mel_rows(augment(audio, rng, config.coded) if vary else audio, config.rows)
    return torch.from_numpy(batch)


def loss_of(model: SpeechForesight, mel: Tensor, shift: int) -> Tensor:
    """L1 between foreseen and true rows; the first half second is only listened to, as states start empty."""
    start = min(60, mel.shape[1] // 4)
    return functional.l1_loss(model(mel[:, :-shift])[:, start:], mel[:, start + shift :])


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


def speakers_apart(corpus: Corpus, by_folder: bool) -> tuple[list[str], list[str]]:
    """Files to train on and to validate on, no speaker in both; AudioError if that leaves one of them empty."""
    train, held_out = corpus.files(False, by_folder), corpus.files(True, by_folder)
    if not train or not held_out:
        raise AudioError(
            f"The {len(corpus.spans)} recordings leave no speakers to validate on, since about one in ten is held out. "
            "Add recordings of more people; a file counts as one speaker, or its folder does with --speakers folder."
        )
    return train, held_out


def fit(config: Config, tell: Callable[[Progress], None] = lambda _: None) -> Path:
    """Train, resuming from the last checkpoint if there is one; returns the path of the best encoder (half floats).

    Of several ranks the first reads the recordings, validates, writes and tells.
    """
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    corpus = ranks.cached(lambda: load_corpus(list(config.folders), config.cache))
    train, held_out = speakers_apart(corpus, config.by_folder)
    fixed = np.random.default_rng(config.seed + 1)
    checks = [draw(corpus, held_out, config, fixed, vary=False) for _ in range(4)]
    model, rng = SpeechForesight(), np.random.default_rng(config.seed)
    optimizer = torch.optim.Adam(model.parameters(), config.rate)
    path, best_path = config.out / "speech.pt", config.out / "speech_best.pt"
    begun = checkpoint.resume(path, model, optimizer, rng, by_all=True)
    rng = rng if begun else ranks.own(rng)
    for step in range(begun, config.steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate))
        loss = loss_of(model, draw(corpus, train, config, rng, vary=True), config.shift)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        ranks.average(model.parameters())
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        last, now = step + 1 == config.steps, None
        if ranks.is_first() and (last or (step + 1) % config.check_every == 0):
            now = validate(model, checks, config.shift)
            scores = {"held_out": now.model, "repeat": now.repeat_last}
            checkpoint.log_row(config.out / "speech_check.csv", step=step + 1, **scores)
            checkpoint.save_if_best(best_path, now.model, model.state_dict())
        if last or (step + 1) % config.save_every == 0:
            checkpoint.save(path, step + 1, model, optimizer, rng, by_all=True)
        if ranks.is_first():
            checkpoint.log_row(config.out / "speech.csv", step=step + 1, loss=loss.item())
            tell(Progress(step + 1, config.steps, loss.item(), now))
    return _stored(config.out) if ranks.is_first() else config.out / ENCODER_FILE


def _stored(out: Path) -> Path:
    """The best encoder as the file that the rest of the program reads."""
    model = SpeechForesight()
    checkpoint.load_model(out / "speech_best.pt", model)
    save_encoder(out / ENCODER_FILE, model.encoder)
    return out / ENCODER_FILE

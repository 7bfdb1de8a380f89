"""Training of the mouth network (section 3.2): speech features to displacements, with a look-ahead of 18 frames.

The paper's loss is the squared distance (equation 10). Where sound leaves open which of two shapes the mouth takes,
that asks for the mean of both, a mouth half open; the distance itself asks for the likelier, and closes lips.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER, MOUTH_RELATED
from lsp_cam.train import checkpoint
from lsp_cam.train.models.mouth import MouthNet
from lsp_cam.train.mouth_data import Pool

LOOK_AHEAD = 18
AT_ONCE = 32
SHUT_MM = 0.9  # a tenth of an open mouth, over the gap of the face at rest
SOFTENING_MM = 0.1  # keeps the distance smooth at zero
_UPPER = [3 * MOUTH_RELATED.index(p) + 1 for p in LIPS_INNER_UPPER]  # vertical coordinates among the 75 numbers
_LOWER = [3 * MOUTH_RELATED.index(p) + 1 for p in LIPS_INNER_LOWER]


@dataclass(frozen=True)
class Config:
    """How to train."""

    out: Path
    steps: int = 600
    batch: int = 16
    frames: int = 240
    rate: float = 1e-3
    last_rate: float = 3e-5
    gap: float = 0.3
    squared: bool = False
    shut: float = 0.0
    seed: int = 1
    threads: int = 2
    save_every: int = 25
    check_every: int = 50


def loss_of(ours: Tensor, truth: Tensor, gap: float, squared: bool = False, shut: float = 0.0) -> Tensor:
    """Distance (mm) of points (B, T, 75), and of the three gaps between the inner lips, on which closure hangs.

    shut: how much more a gap weighs that should be shut. A mouth that is unsure closes for odds of one in 2 + shut:
    an eye forgives a vowel that opens late, and not an open b.
    """
    ours_gap, true_gap = ours[..., _UPPER] - ours[..., _LOWER], truth[..., _UPPER] - truth[..., _LOWER]
    away = (ours - truth).reshape(*ours.shape[:-1], -1, 3).square().sum(-1)
    if squared:
        return away.mean() / 3 + gap * (ours_gap - true_gap).square().mean()
    weight = 1 + shut * (true_gap < SHUT_MM)
    return (away + SOFTENING_MM**2).sqrt().mean() + gap * (weight * (ours_gap - true_gap).abs()).mean()


def predict(model: MouthNet, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Displacements (T, 75) for the features (T, 1024) of a whole utterance."""
    return predict_all(model, [features])[0]


@torch.no_grad()
def predict_all(model: MouthNet, utterances: list[NDArray[np.floating]]) -> list[NDArray[np.float32]]:
    """Displacements (T, 75) for the features (T, 1024) of each utterance, all from empty states, run side by side."""
    longest = max(map(len, utterances)) + LOOK_AHEAD
    rows = [np.minimum(np.arange(longest), len(features) - 1) for features in utterances]
    given = np.stack([features[r].astype(np.float32) for features, r in zip(utterances, rows, strict=True)])
    shown = model(torch.from_numpy(given))[0][:, LOOK_AHEAD:].numpy()
    return [np.asarray(shown[k, : len(features)], np.float32) for k, features in enumerate(utterances)]


def error_mm(ours: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean distance in mm between predicted and true points."""
    return float(np.linalg.norm((ours - truth).reshape(-1, 3), axis=1).mean())


def _errors(model: MouthNet, utterances: list[tuple[NDArray[np.floating], NDArray[np.float32]]]) -> list[float]:
    """The error of each utterance (its features and its truth)."""
    ordered = sorted(utterances, key=lambda u: len(u[1]))  # equal lengths together: little padding
    out: list[float] = []
    for first in range(0, len(ordered), AT_ONCE):
        part = ordered[first : first + AT_ONCE]
        shown = predict_all(model, [features for features, _ in part])
        out += [error_mm(ours, truth) for ours, (_, truth) in zip(shown, part, strict=True)]
    return out


def validate(model: MouthNet, pool: Pool) -> dict[str, float]:
    """Mean error in mm on raw and on projected features, and of a mouth that stays at its mean."""
    model.eval()
    raw = _errors(model, list(zip(pool.raw, pool.truth, strict=True)))
    pairs = zip(pool.projected, pool.truth, strict=True)
    projected = _errors(model, [(features, truth) for features, truth in pairs if features is not None])
    model.train()
    whole = np.concatenate(pool.truth)
    still = error_mm(np.broadcast_to(whole.mean(axis=0), whole.shape), whole)
    means = float(np.mean(raw)), float(np.mean(projected)) if projected else float("nan")
    return {"raw_mm": means[0], "projected_mm": means[1], "still_mm": still}


def begin(pool: Pool) -> MouthNet:
    """A fresh network whose last layer already gives the mean displacement."""
    model = MouthNet()
    last = model.fc[-1]
    assert isinstance(last, torch.nn.Linear)
    with torch.no_grad():
        last.bias.copy_(torch.from_numpy(np.concatenate(pool.truth[:200]).mean(axis=0)))
    return model


def fit(
    train: Pool,
    held_out: Pool,
    config: Config,
    start: dict[str, Tensor] | None = None,
    tell: Callable[[float], None] = lambda _: None,
) -> Path:
    """Train, resuming from the last checkpoint if there is one; returns the path of the weights that validated best.

    start: weights to begin with, of a mouth that has learned from others; without it the network is fresh. tell: is
    given the share that is done.
    """
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    model, path, best_path = begin(train), config.out / "mouth.pt", config.out / "mouth_best.pt"
    if start is not None:
        model.load_state_dict(start)
    optimizer = torch.optim.Adam(model.parameters(), config.rate)
    rng = np.random.default_rng(config.seed)
    for step in range(checkpoint.resume(path, model, optimizer, rng), config.steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate))
        features, truth = train.draw(config.batch, config.frames, LOOK_AHEAD, rng)
        loss = loss_of(model(features)[0][:, LOOK_AHEAD:], truth, config.gap, config.squared, config.shut)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        last = step + 1 == config.steps
        if last or (step + 1) % config.check_every == 0:
            scores = validate(model, held_out)
            checkpoint.log_row(config.out / "mouth_check.csv", step=step + 1, **scores)
            checkpoint.save_if_best(best_path, _score(scores), model.state_dict())
        if last or (step + 1) % config.save_every == 0:
            checkpoint.save(path, step + 1, model, optimizer, rng)
        checkpoint.log_row(config.out / "mouth.csv", step=step + 1, loss=loss.item())
        tell((step + 1) / config.steps)
    return best_path


def _score(scores: dict[str, float]) -> float:
    """What the best weights are chosen by: the error on projected features, which is what the program hears."""
    return scores["raw_mm"] if np.isnan(scores["projected_mm"]) else scores["projected_mm"]

"""Training of the mouth network (section 3.2): speech features to displacements, with a look-ahead of 18 frames."""

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
_UPPER = [3 * MOUTH_RELATED.index(p) + 1 for p in LIPS_INNER_UPPER]  # vertical coordinates among the 75 numbers
_LOWER = [3 * MOUTH_RELATED.index(p) + 1 for p in LIPS_INNER_LOWER]


@dataclass(frozen=True)
class Config:
    """How to train."""

    out: Path
    steps: int = 500
    batch: int = 16
    frames: int = 240
    rate: float = 1e-3
    last_rate: float = 3e-5
    gap: float = 1.0
    seed: int = 1
    threads: int = 2
    save_every: int = 25
    check_every: int = 50


def loss_of(ours: Tensor, truth: Tensor, gap: float) -> Tensor:
    """L2 on displacements (B, T, 75), and on the three gaps between the inner lips, on which closure hangs."""
    ours_gap, true_gap = ours[..., _UPPER] - ours[..., _LOWER], truth[..., _UPPER] - truth[..., _LOWER]
    return (ours - truth).square().mean() + gap * (ours_gap - true_gap).square().mean()


@torch.no_grad()
def predict(model: MouthNet, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Displacements (T, 75) for the features (T, 1024) of a whole utterance."""
    rows = np.minimum(np.arange(len(features) + LOOK_AHEAD), len(features) - 1)
    given = torch.from_numpy(features[rows].astype(np.float32))[None]
    return np.asarray(model(given)[0][0, LOOK_AHEAD:].numpy(), np.float32)


def error_mm(ours: NDArray[np.float32], truth: NDArray[np.float32]) -> float:
    """Mean distance in mm between predicted and true points."""
    return float(np.linalg.norm((ours - truth).reshape(-1, 3), axis=1).mean())


def validate(model: MouthNet, pool: Pool) -> dict[str, float]:
    """Mean error in mm on raw and on projected features, and of a mouth that stays at its mean."""
    model.eval()
    raw, projected = [], []
    for k, truth in enumerate(pool.truth):
        raw.append(error_mm(predict(model, pool.raw[k]), truth))
        features = pool.projected[k]
        if features is not None:
            projected.append(error_mm(predict(model, features), truth))
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


def fit(train: Pool, held_out: Pool, config: Config) -> Path:
    """Train, resuming from the last checkpoint if there is one; returns the checkpoint's path."""
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    model, path = begin(train), config.out / "mouth.pt"
    optimizer = torch.optim.Adam(model.parameters(), config.rate)
    rng = np.random.default_rng(config.seed)
    for step in range(checkpoint.resume(path, model, optimizer, rng), config.steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate))
        features, truth = train.draw(config.batch, config.frames, LOOK_AHEAD, rng)
        loss = loss_of(model(features)[0][:, LOOK_AHEAD:], truth, config.gap)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        last = step + 1 == config.steps
        if last or (step + 1) % config.check_every == 0:
            checkpoint.log_row(config.out / "mouth_check.csv", step=step + 1, **validate(model, held_out))
        if last or (step + 1) % config.save_every == 0:
            checkpoint.save(path, step + 1, model, optimizer, rng)
        checkpoint.log_row(config.out / "mouth.csv", step=step + 1, loss=loss.item())
    return path

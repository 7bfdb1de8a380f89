"""Training of the lite renderer on a tracked clip (section 3.4, with the losses of a CPU's budget)."""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lsp_cam.stages.landmarks import LIPS
from lsp_cam.train import checkpoint
from lsp_cam.train.models.lite import LiteRenderer, Shape
from lsp_cam.train.quality import box_around, psnr, ssim
from lsp_cam.train.render_data import Footage, first_texture, open_footage
from lsp_cam.train.render_warm import anchor_loss, warm_up
from lsp_cam.train.synthetic import cache_footage, read_tracked


@dataclass(frozen=True)
class Config:
    """How to train; weights of the losses; the last part of the clip validates."""

    out: Path
    steps: int = 5000
    batch: int = 2
    rate: float = 1e-3
    last_rate: float = 3e-5
    warm_steps: int = 300
    warm_batch: int = 8
    frozen_share: float = 0.6
    texture_rate: float = 0.06
    edges: float = 2.0
    anchors: float = 0.02
    bend: float = 1e-3
    cover: float = 0.05
    train_share: float = 0.85
    seed: int = 1
    threads: int = 1
    save_every: int = 100
    check_every: int = 500


@dataclass(frozen=True)
class Batch:
    """Maps (B, 1, S, S), pictures (B, 3, S, S), weights (B, 1, S, S), anchors (B, P, 2)."""

    maps: Tensor
    pictures: Tensor
    weights: Tensor
    anchors: Tensor


def draw(footage: Footage, last: int, batch: int, rng: np.random.Generator) -> Batch:
    """Random frames before frame `last`, rare ones more often than they come."""
    which = [int(k) for k in rng.choice(last, batch, p=footage.chances(last))]
    return Batch(
        torch.stack([footage.feature_map(k, rng) for k in which]),
        torch.stack([footage.picture(k) for k in which]),
        torch.stack([footage.weights(k) for k in which]),
        torch.stack([footage.anchors(k) for k in which]),
    )


def edge_loss(ours: Tensor, truth: Tensor, weights: Tensor, levels: int = 3) -> Tensor:
    """Weighted L1 of horizontal and vertical differences at full, half and quarter size: keeps pictures sharp."""
    error, total = ours - truth, torch.zeros(())
    for _ in range(levels):
        across = (error[..., 1:] - error[..., :-1]).abs() * weights[..., 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weights[..., 1:, :]
        total = total + across.mean() + down.mean()
        error, weights = functional.avg_pool2d(error, 2), functional.avg_pool2d(weights, 2)
    return total / levels


def loss_of(model: LiteRenderer, batch: Batch, still: Tensor, config: Config, fade: float) -> tuple[Tensor, float]:
    """The whole loss, and its plain L1 part; `fade` (1 to 0) takes the help of the anchors away."""
    pictures, source, cover = model(batch.maps)
    error = (pictures - batch.pictures).abs()
    s = model.painter.shape
    face = (..., slice(s.top * 8, s.bottom * 8), slice(s.left * 8, s.right * 8))
    edges = edge_loss(pictures[face], batch.pictures[face], batch.weights[face])
    coarse = source[:, :, ::16, ::16]
    bend = (coarse[..., 2:] - 2 * coarse[..., 1:-1] + coarse[..., :-2]).abs().mean()
    bend = bend + (coarse[..., 2:, :] - 2 * coarse[..., 1:-1, :] + coarse[..., :-2, :]).abs().mean()
    loss = (error * batch.weights).mean() + config.edges * edges + config.bend * bend
    # Paint is cheap to learn and blurred; movement is neither. Paint that costs something leaves room for movement.
    spared = cover * (batch.weights[face] < 8)
    loss = loss + config.cover * (0.1 + 0.9 * fade) * spared.mean()
    loss = loss + config.anchors * (0.1 + 0.9 * fade) * anchor_loss(source, batch.anchors, still)
    return loss, error.detach().mean().item()


@torch.no_grad()
def validate(model: LiteRenderer, footage: Footage, first: int, stills: Path, count: int = 12) -> dict[str, float]:
    """PSNR, SSIM and PSNR in the mouth's box over frames after `first`; writes a sheet of pairs to `stills`."""
    scores, rows = [], []
    for k in np.linspace(first, len(footage.frames) - 1, count).astype(int):
        ours = model(footage.feature_map(int(k))[None])[0][0].clamp(0, 1).permute(1, 2, 0).numpy() * 255.0
        ours, truth = np.round(ours).astype(float), footage.frames[k].astype(float)
        mouth = box_around(footage.points[k, list(LIPS)], 0.3, footage.side)
        scores.append((psnr(ours, truth), ssim(ours, truth), psnr(ours[mouth], truth[mouth])))
        rows.append(np.hstack([ours, truth]))
    sheet = np.vstack(rows[:: max(1, count // 3)]).astype(np.uint8)
    cv2.imwrite(str(stills), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    means = np.mean(scores, axis=0)
    return {"psnr_db": float(means[0]), "ssim": float(means[1]), "mouth_psnr_db": float(means[2])}


def build(footage: Footage) -> LiteRenderer:
    """A renderer at its start: the still texture before the median background."""
    return LiteRenderer(Shape(side=footage.side), *first_texture(footage))


def fit(footage: Footage, config: Config) -> Path:
    """Train, resuming from the last checkpoint if there is one; returns the checkpoint's path."""
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    model, path = build(footage), config.out / "render.pt"
    groups: list[dict[str, Any]] = [
        {"params": [model.texture, model.background], "scale": config.texture_rate},
        {"params": list(model.painter.parameters())},
    ]
    optimizer = torch.optim.Adam(groups, config.rate, (0.9, 0.99))
    if not path.exists():
        warm_up(model, footage, config.warm_steps, config.warm_batch, config.seed, config.out / "render_warm.csv")
    rng = np.random.default_rng(config.seed)
    last, still = int(len(footage.frames) * config.train_share), footage.anchors(footage.still)
    for step in range(checkpoint.resume(path, model, optimizer, rng), config.steps):
        began = time.monotonic()
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate))
        frozen = step < config.frozen_share * config.steps  # a texture under wrong movement would only blur
        model.texture.requires_grad_(not frozen)
        model.background.requires_grad_(not frozen)
        fade = max(0.0, 1 - step / (0.4 * config.steps))
        loss, plain = loss_of(model, draw(footage, last, config.batch, rng), still, config, fade)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.painter.parameters(), 1.0)
        optimizer.step()
        final = step + 1 == config.steps
        if final or (step + 1) % config.check_every == 0:
            scores = validate(model, footage, last, config.out / "stills.png")
            checkpoint.log_row(config.out / "render_check.csv", step=step + 1, **scores)
        if final or (step + 1) % config.save_every == 0:
            checkpoint.save(path, step + 1, model, optimizer, rng)
        spent = time.monotonic() - began
        checkpoint.log_row(config.out / "render.csv", step=step + 1, loss=loss.item(), l1=plain, seconds=spent)
    return path


def main() -> None:
    """Train on the synthetic footage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="shared/data/synthetic")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache/footage.rgb"))
    parser.add_argument("--out", type=Path, default=Path("runs/render"))
    parser.add_argument("--steps", type=int, default=Config.steps)
    parser.add_argument("--threads", type=int, default=Config.threads)
    options = parser.parse_args()
    frames = cache_footage(options.folder / "footage.mp4", options.cache)
    footage = open_footage(read_tracked(options.folder), frames)
    fit(footage, Config(options.out, options.steps, threads=options.threads))


if __name__ == "__main__":
    main()

"""The lite renderer in training: its losses, and what of it learns when."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lsp_cam.train import checkpoint
from lsp_cam.train.export_lite import lite_onnx
from lsp_cam.train.models.lite import CELL, Box, Drawn, LiteRenderer, Shape
from lsp_cam.train.render_check import check_sheet
from lsp_cam.train.render_data import Footage
from lsp_cam.train.render_start import eyes_of_still, first_lids, first_texture
from lsp_cam.train.render_warm import anchor_loss, warm_up
from lsp_cam.train.render_window import shape_of

RANGE_MAPS = 24  # that tell the ranges of an exported file's values


@dataclass(frozen=True)
class LiteConfig:
    """Learning rates, and the weights of the losses beside weighted L1 (whose weight is 1)."""

    steps: int = 6000
    batch: int = 2
    rate: float = 1e-3
    last_rate: float = 3e-5
    warm_steps: int = 300
    warm_batch: int = 8
    frozen_share: float = 0.5
    texture_rate: float = 0.06
    edges: float = 2.0
    structure: float = 0.2
    anchors: float = 0.02
    bend: float = 1e-3
    cover: float = 0.05
    eyes: float = 0.2


@dataclass(frozen=True)
class Batch:
    """Maps (B, 1, S, S), pictures (B, 3, S, S), weights and mouths (B, 1, S, S), anchors (B, P, 2)."""

    maps: Tensor
    pictures: Tensor
    weights: Tensor
    mouths: Tensor
    anchors: Tensor


def draw(footage: Footage, last: int, batch: int, rng: np.random.Generator, device: torch.device) -> Batch:
    """Random frames before frame `last`, rare ones more often than they come."""
    which = [int(k) for k in rng.choice(last, batch, p=footage.chances(last))]
    made = (
        torch.stack([footage.feature_map(k, rng) for k in which]),
        torch.stack([footage.picture(k) for k in which]),
        torch.stack([footage.weights(k) for k in which]),
        torch.stack([footage.mouth(k) for k in which]),
        torch.stack([footage.anchors(k) for k in which]),
    )
    return Batch(*(part.to(device) for part in made))


def edge_loss(ours: Tensor, truth: Tensor, weights: Tensor, levels: int = 3) -> Tensor:
    """Weighted L1 of horizontal and vertical differences at full, half and quarter size: keeps pictures sharp."""
    error, total = ours - truth, ours.new_zeros(())
    for _ in range(levels):
        across = (error[..., 1:] - error[..., :-1]).abs() * weights[..., 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weights[..., 1:, :]
        total = total + across.mean() + down.mean()
        error, weights = functional.avg_pool2d(error, 2), functional.avg_pool2d(weights, 2)
    return total / levels


def structure_loss(ours: Tensor, truth: Tensor, stride: int = 2) -> Tensor:
    """1 - SSIM (Wang et al. 2004) of the channels' mean, RGB (B, 3, S, S) in 0..1, at every `stride`-th pixel.

    Blurring is a product with a banded matrix: single-channel convolutions are slow to differentiate on a CPU.
    """
    blur = _gaussian_rows(ours.shape[-1], stride).to(ours.device)
    a, b = ours.mean(1), truth.mean(1)
    a, b, aa, bb, ab = (blur @ torch.stack([a, b, a * a, b * b, a * b]) @ blur.T).unbind()
    aa, bb, ab = aa - a * a, bb - b * b, ab - a * b
    alike = (2 * a * b + 1e-4) * (2 * ab + 9e-4) / ((a * a + b * b + 1e-4) * (aa + bb + 9e-4))
    return 1 - alike.mean()


@cache
def _gaussian_rows(side: int, stride: int) -> Tensor:
    """Weights (N, side): each row a Gaussian window of 11 (sigma 1.5), `stride` pixels after the one before."""
    centres = torch.arange(5, side - 5, stride)[:, None]
    away = torch.arange(side)[None] - centres
    rows = torch.exp(-0.5 * (away / 1.5) ** 2) * (away.abs() <= 5)
    return rows / rows.sum(dim=1, keepdim=True)


def loss_of(drawn: Drawn, batch: Batch, shape: Shape, still: Tensor, config: LiteConfig, fade: float) -> Tensor:
    """The whole loss; `fade` (1 to 0) takes the help of the anchors away."""
    window = shape.window
    edges = edge_loss(window.of(drawn.picture, CELL), window.of(batch.pictures, CELL), window.of(batch.weights, CELL))
    coarse = drawn.source[:, :, ::16, ::16]
    bend = (coarse[..., 2:] - 2 * coarse[..., 1:-1] + coarse[..., :-2]).abs().mean()
    bend = bend + (coarse[..., 2:, :] - 2 * coarse[..., 1:-1, :] + coarse[..., :-2, :]).abs().mean()
    loss = ((drawn.picture - batch.pictures).abs() * batch.weights).mean() + config.edges * edges
    loss = loss + config.structure * structure_loss(drawn.picture, batch.pictures) + config.bend * bend
    # Paint is cheap to learn and blurred; movement is neither. Paint that costs something leaves room for movement.
    spared = drawn.cover * (1 - window.of(batch.mouths, CELL))
    # Nothing is painted on the eyes: the texture's are sharp, and the lids close them.
    eyes = shape.eyes.within(window).of(drawn.cover, CELL)
    loss = loss + config.cover * (0.1 + 0.9 * fade) * spared.mean() + config.eyes * eyes.mean()
    return loss + config.anchors * (0.1 + 0.9 * fade) * anchor_loss(drawn.source, batch.anchors, still)


class LiteJob:
    """See `render_loop.Job`."""

    def __init__(
        self, footage: Footage, last: int, config: LiteConfig, device: torch.device, seed: int, checks: int, out: Path
    ) -> None:
        """Frames before `last` are trained on, the others validate."""
        self.batch, self.rng = config.batch, np.random.default_rng(seed)
        self._footage, self._last, self._config, self._device = footage, last, config, device
        self._seed, self._checks, self._out = seed, checks, out
        self.model = build(footage).to(device)
        self._irises = eyes_of_still(footage).to(device)
        self._still = footage.anchors(footage.still).to(device)
        pictures = [self.model.texture, self.model.background, self.model.lids]
        groups: list[dict[str, Any]] = [
            {"params": pictures, "scale": config.texture_rate},
            {"params": list(self.model.painter.parameters())},
        ]
        self._optimizer = torch.optim.Adam(groups, config.rate, (0.9, 0.99))

    def begin(self) -> None:
        """Learn how the head moves in the map before any picture is made."""
        c = self._config
        warm_up(self.model, self._footage, c.warm_steps, c.warm_batch, self._seed, self._out / "render_warm.csv")

    def step(self, step: int, steps: int) -> dict[str, float]:
        c, model = self._config, self.model
        checkpoint.set_rate(self._optimizer, checkpoint.cosine_rate(step, steps, c.rate, c.last_rate))
        frozen = step < c.frozen_share * steps  # a texture under wrong movement would only blur
        for picture in (model.texture, model.background, model.lids):
            picture.requires_grad_(not frozen)
        fade = max(0.0, 1 - step / (0.4 * steps))
        batch = draw(self._footage, self._last, self.batch, self.rng, self._device)
        self._optimizer.zero_grad(set_to_none=True)
        # Movement needs all digits of its pixels, so only the convolutions see half floats, and bfloat16 no scaling.
        with torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda"):
            drawn = model(batch.maps)
        loss = loss_of(drawn, batch, model.painter.shape, self._still, c, fade)
        loss.backward()  # type: ignore[no-untyped-call]
        if model.texture.grad is not None:
            model.texture.grad *= 1 - self._irises
        torch.nn.utils.clip_grad_norm_(model.painter.parameters(), 1.0)
        self._optimizer.step()
        plain = (drawn.picture - batch.pictures).abs().detach().mean()
        return {"loss": loss.item(), "l1": plain.item()}

    def check(self) -> dict[str, float]:
        model = self.model.eval()
        scores = check_sheet(
            lambda k: model(self._footage.feature_map(k)[None].to(self._device)).picture[0].cpu(),
            self._footage,
            self._last,
            self._out / "stills.png",
            self._checks,
        )
        self.model.train()
        return scores

    def state(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def trained(self) -> dict[str, Any]:
        s = self.model.painter.shape
        shape = {"side": s.side, "window": tuple(s.window), "eyes": tuple(s.eyes), "widths": s.widths}
        seen = np.linspace(0, self._last - 1, min(RANGE_MAPS, self._last)).astype(int)
        maps = np.stack([self._footage.feature_map(int(k)).numpy() > 0 for k in seen])
        packed = torch.from_numpy(np.packbits(maps, axis=-1))
        return {"renderer": "lite", "shape": shape, "maps": packed, "model": self.model.state_dict()}


def build(footage: Footage) -> LiteRenderer:
    """A renderer at its start: the still texture, and closed eyes, before the median background."""
    shape = shape_of(footage.points, footage.side)
    model = LiteRenderer(shape, *first_texture(footage))
    with torch.no_grad():
        model.lids.copy_(first_lids(footage, shape)[None])
    return model


def bundle_files(state: dict[str, Any]) -> dict[str, bytes]:
    """The network by its name in a bundle, of what `LiteJob.trained` gave."""
    maps = np.unpackbits(state["maps"].numpy(), axis=-1)[:, None].astype(np.float32)
    return {"render.onnx": lite_onnx(load(state), list(maps))}


def load(state: dict[str, Any]) -> LiteRenderer:
    """The renderer that `LiteJob.trained` describes, on the CPU."""
    shape = state["shape"]
    window, eyes = (Box(*shape[name]) for name in ("window", "eyes"))
    model = LiteRenderer(Shape(shape["side"], window, eyes, tuple(shape["widths"])))
    model.load_state_dict(state["model"])
    return model.cpu().eval()

"""The lite renderer in training: its losses, and what of it learns when."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lsp_cam.train import checkpoint, ranks
from lsp_cam.train.export_lite import lite_onnx
from lsp_cam.train.models.lite import CELL, Box, Drawn, LiteRenderer, Shape
from lsp_cam.train.render_check import check_sheet
from lsp_cam.train.render_data import Footage
from lsp_cam.train.render_losses import anchor_loss, bend_loss, edge_loss, lids_loss, structure_loss
from lsp_cam.train.render_movement import PoseModes, fit_movement
from lsp_cam.train.render_start import eyes_of_still, first_lids, first_texture
from lsp_cam.train.render_warm import warm_up
from lsp_cam.train.render_window import shape_of

RANGE_MAPS = 24  # that tell the ranges of an exported file's values


@dataclass(frozen=True)
class LiteConfig:
    """Learning rates, and the weights of the losses beside weighted L1 (whose weight is 1).

    Rates of parts are shares of `rate`. The pose is read by ten thousand weights at once: they must hardly move.
    """

    steps: int = 6000
    batch: int = 2
    rate: float = 1e-3
    last_rate: float = 3e-5
    movement_steps: int = 400
    warm_steps: int = 600
    warm_batch: int = 8
    frozen_share: float = 0.3
    texture_rate: float = 0.06
    pose_rate: float = 0.01
    sway_rate: float = 0.1
    encoder_rate: float = 0.2
    pose: float = 0.05
    edges: float = 2.0
    structure: float = 0.2
    anchors: float = 0.02
    bend: float = 1e-3
    cover: float = 0.05
    eyes: float = 0.2
    lids: float = 0.02


@dataclass(frozen=True)
class Batch:
    """Maps (B, 1, S, S), pictures (B, 3, S, S), weights, mouths and lids (B, 1, S, S), anchors (B, P, 2), frames."""

    maps: Tensor
    pictures: Tensor
    weights: Tensor
    mouths: Tensor
    lids: Tensor
    anchors: Tensor
    which: list[int]


def draw(footage: Footage, last: int, batch: int, rng: np.random.Generator, device: torch.device) -> Batch:
    """Random frames before frame `last`, rare ones more often than they come."""
    which = [int(k) for k in rng.choice(last, batch, p=footage.chances(last))]

    def stacked(part: Callable[[int], Tensor]) -> Tensor:
        return torch.stack([part(k) for k in which]).to(device)

    maps = stacked(lambda k: footage.feature_map(k, rng))
    weights, mouths = stacked(footage.weights), stacked(footage.mouth)
    lids, anchors = stacked(footage.lids), stacked(footage.anchors)
    return Batch(maps, stacked(footage.picture), weights, mouths, lids, anchors, which)


def loss_of(drawn: Drawn, batch: Batch, shape: Shape, still: Tensor, config: LiteConfig, fade: float) -> Tensor:
    """The whole loss; `fade` (1 to 0) takes the help of the anchors away."""
    window = shape.window
    edges = edge_loss(window.of(drawn.picture, CELL), window.of(batch.pictures, CELL), window.of(batch.weights, CELL))
    loss = ((drawn.picture - batch.pictures).abs() * batch.weights).mean() + config.edges * edges
    loss = loss + config.structure * structure_loss(drawn.picture, batch.pictures)
    loss = loss + config.bend * bend_loss(drawn.source)
    loss = loss + config.lids * lids_loss(drawn.lids, shape.eyes.of(batch.lids, CELL))
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
        painter = self.model.painter
        slow = {"pose": list(painter.pose.parameters()), "sway": [painter.sway], "encoder": painter.encoder()}
        named = {id(p) for group in slow.values() for p in group}
        groups: list[dict[str, Any]] = [
            {"params": pictures, "scale": config.texture_rate},
            {"params": slow["pose"], "scale": config.pose_rate},
            {"params": slow["sway"], "scale": config.sway_rate},
            {"params": slow["encoder"], "scale": config.encoder_rate},
            {"params": [p for p in painter.parameters() if id(p) not in named]},
        ]
        clip = footage.clip
        self._modes = PoseModes(clip).of_clip(clip).to(device)
        self._optimizer = torch.optim.Adam(groups, config.rate, (0.9, 0.99))

    def begin(self) -> None:
        """Learn what a pose moves, and to see the pose in the map, before anything is painted."""
        c, model, rng = self._config, self.model, np.random.default_rng(self._seed)
        fit_movement(model, self._footage, self._last, c.movement_steps, rng, self._out / "render_movement.csv")
        warm_up(model, self._footage, c.warm_steps, c.warm_batch, rng, self._out / "render_warm.csv")

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
        seen, true = (model.painter.swayed(modes) for modes in (drawn.modes.float(), self._modes[batch.which]))
        loss = loss + c.pose * (seen - true).abs().mean()
        torch.autograd.backward(loss)
        ranks.average(model.parameters())
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

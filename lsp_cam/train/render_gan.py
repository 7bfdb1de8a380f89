"""The published renderer in training: generator against discriminator, with the losses of section 4.2.4."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lsp_cam.train import checkpoint
from lsp_cam.train.candidates import candidate_frames
from lsp_cam.train.export_render import render_onnx
from lsp_cam.train.models.discriminator import Discriminator
from lsp_cam.train.models.render import CANDIDATE_CHANNELS, MAP_CHANNELS, PICTURE_CHANNELS, Generator, Kind
from lsp_cam.train.perceptual_loss import perceptual_loss
from lsp_cam.train.precision import Precision
from lsp_cam.train.render_check import check_sheet
from lsp_cam.train.render_data import Footage

SMALLEST_BATCH = 2  # of 256 pixels one is left at the bottom, and a single number has no deviation to norm by


@dataclass(frozen=True)
class GanConfig:
    """The paper's settings; `candidates` off gives one ablation of its table 3, the generator `plain` another.

    `batch` is where it begins: too much for the memory, it is halved until it fits. `vgg`: a file of VGG19's weights.
    """

    steps: int = 40_000
    batch: int = 8
    cpu_batch: int = 2
    rate: float = 1e-4
    last_rate: float = 1e-5
    colour: float = 100.0
    perceptual: float = 10.0
    matching: float = 1.0
    ngf: int = 64
    ndf: int = 64
    candidates: bool = True
    vgg: Path | None = None


class GanJob:
    """See `render_loop.Job`."""

    def __init__(
        self,
        footage: Footage,
        last: int,
        kind: Kind,
        config: GanConfig,
        device: torch.device,
        seed: int,
        checks: int,
        out: Path,
        say: Callable[[str], None],
    ) -> None:
        """Frames before `last` are trained on, and give the candidate images; the others validate."""
        self.batch = config.batch if device.type == "cuda" else config.cpu_batch
        self.rng = np.random.default_rng(seed)
        self._footage, self._last, self._kind, self._config = footage, last, kind, config
        self._device, self._checks, self._out = device, checks, out
        self.generator = Generator(kind, config.ngf).to(device)
        self.discriminator = Discriminator(MAP_CHANNELS + PICTURE_CHANNELS, config.ndf).to(device)
        self._optimizers = [
            torch.optim.Adam(net.parameters(), config.rate, (0.9, 0.999))
            for net in (self.generator, self.discriminator)
        ]
        frames = candidate_frames(footage.clip.points[:last], footage.clip.angles[:last])
        self._candidates = torch.cat([_signed(footage.picture(k)) for k in frames])[None].to(device)
        if not config.candidates:
            self._candidates.zero_()
            with torch.no_grad():  # zeros give their weights no gradient, so that these stay as they are
                self.generator.state_dict()["model.model.0.weight"][:, MAP_CHANNELS:] = 0
        self._perceptual = perceptual_loss(config.vgg, device, say)
        self._precision = Precision(device)

    def begin(self) -> None:
        """Training begins from noise."""

    def step(self, step: int, steps: int) -> dict[str, float]:
        c = self._config
        for optimizer in self._optimizers:
            checkpoint.set_rate(optimizer, c.rate + (c.last_rate - c.rate) * step / steps)
        which = [int(k) for k in self.rng.choice(self._last, max(self.batch, SMALLEST_BATCH))]
        maps = torch.stack([self._footage.feature_map(k, self.rng) for k in which]).to(self._device)
        truth = torch.stack([_signed(self._footage.picture(k)) for k in which]).to(self._device)
        with self._precision.forward():
            made = self._made(maps)
            loss, parts = self._generator_loss(maps, made, truth)
        self._precision.descend(loss, self._optimizers[0])
        with self._precision.forward():
            judged = self._discriminator_loss(maps, made.detach(), truth)
        self._precision.descend(judged, self._optimizers[1])
        return {"loss": loss.item(), "discriminator": judged.item(), **parts}

    def _made(self, maps: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) in -1..1 of maps (B, 1, S, S)."""
        beside = self._candidates.expand(len(maps), -1, -1, -1)
        made: Tensor = self.generator(torch.cat([maps, beside], dim=1))
        return made.float()

    def _generator_loss(self, maps: Tensor, made: Tensor, truth: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Equation 13."""
        c = self._config
        with torch.no_grad():
            wanted = self.discriminator(maps, truth)
        self.discriminator.requires_grad_(False)
        seen = self.discriminator(maps, made)
        self.discriminator.requires_grad_(True)
        fooled = torch.stack([(scale[-1] - 1).square().mean() for scale in seen]).mean()
        pairs = [pair for a, b in zip(seen, wanted, strict=True) for pair in zip(a[:-1], b[:-1], strict=True)]
        matched = torch.stack([functional.l1_loss(a, b) for a, b in pairs]).sum() / len(seen)
        colour, perceived = functional.l1_loss(made, truth), self._perceptual(made, truth)
        loss = fooled + c.colour * colour + c.perceptual * perceived + c.matching * matched
        return loss, {"fooled": fooled.item(), "l1": colour.item(), "perceptual": perceived.item()}

    def _discriminator_loss(self, maps: Tensor, made: Tensor, truth: Tensor) -> Tensor:
        """Equation 12."""
        real, fake = self.discriminator(maps, truth), self.discriminator(maps, made)
        parts = [(r[-1] - 1).square().mean() + f[-1].square().mean() for r, f in zip(real, fake, strict=True)]
        return torch.stack(parts).mean()

    def check(self) -> dict[str, float]:
        self.generator.eval()
        scores = check_sheet(self._drawn, self._footage, self._last, self._out / "stills.png", self._checks)
        self.generator.train()
        return scores

    def _drawn(self, frame: int) -> Tensor:
        with self._precision.forward():
            made = self._made(self._footage.feature_map(frame)[None].to(self._device))
        return (made[0].cpu() + 1) / 2

    def state(self) -> dict[str, Any]:
        return {
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "precision": self._precision.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self._precision.restore(state["precision"])

    def trained(self) -> dict[str, Any]:
        pictures = ((self._candidates[0].cpu() + 1) * 127.5).round().to(torch.uint8)
        return {
            "renderer": self._kind,
            "ngf": self._config.ngf,
            "candidates": pictures.reshape(CANDIDATE_CHANNELS // 3, 3, *pictures.shape[1:]),
            "model": self.generator.state_dict(),
        }


def _signed(picture: Tensor) -> Tensor:
    """0..1 to -1..1."""
    return 2 * picture - 1


def bundle_files(state: dict[str, Any]) -> dict[str, bytes]:
    """The networks and the candidate images, by their names in a bundle, of what `GanJob.trained` gave."""
    pictures = state["candidates"]
    files = render_onnx(state["model"], state["renderer"], state["ngf"], int(pictures.shape[-1]))
    for number, picture in enumerate(pictures.permute(0, 2, 3, 1).numpy()):
        _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        files[f"candidates/{number}.png"] = png.tobytes()
    return files

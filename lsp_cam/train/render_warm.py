"""What the lite renderer learns before it sees a picture: how the head moves in the map is how the texture moves."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from lsp_cam.train import checkpoint
from lsp_cam.train.maps import SHOULDER_SHARE, drawn_points
from lsp_cam.train.models.lite import LiteRenderer
from lsp_cam.train.render_data import Footage, head_fixed
from lsp_cam.train.tracked import Array, pinhole, rotation_of


def anchor_loss(source: Tensor, anchors: Tensor, still: Tensor) -> Tensor:
    """Mean distance in pixels between where steady points are taken from and where they are in the still frame."""
    side = source.shape[-1]
    unit = anchors[:, None] * (2.0 / (side - 1)) - 1.0
    taken = functional.grid_sample(source, unit, align_corners=True)[:, :, 0].transpose(1, 2)
    return (taken - still).abs().mean()


class RandomPoses:
    """Maps of poses and faces that were never filmed together, with where the head-fixed points are in them."""

    def __init__(self, footage: Footage) -> None:
        self._footage, self._clip = footage, footage.clip
        self._drawn, self._fixed = drawn_points(footage.clip), head_fixed(footage.clip)

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Maps (B, 1, S, S) and anchors (B, P, 2) as `Footage.anchors` gives them."""
        pairs = [self._one(rng) for _ in range(batch)]
        return torch.stack([a for a, _ in pairs]), torch.stack([b for _, b in pairs])

    def _one(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        clip = self._clip
        face, turn, place = rng.integers(0, len(clip.points), 3)
        angles = _stretched(clip.angles, turn, rng)
        translation = _stretched(clip.translation, place, rng)

        def seen(points: Array) -> Array:
            return pinhole(points @ rotation_of(angles[None])[0].T + translation, clip.intrinsics)

        shoulders = clip.shoulders[0] + SHOULDER_SHARE * (translation - clip.translation[0])
        pixels = pinhole(shoulders, clip.intrinsics)
        anchors = np.concatenate([seen(self._fixed), pixels]) - 0.5
        return self._footage.drawn(seen(self._drawn[face]), pixels), torch.from_numpy(anchors).float()


def _stretched(values: Array, index: int, rng: np.random.Generator) -> Array:
    """Line `index` of values (T, 3), its distance from the mean changed by 0.3 to 1.5."""
    mean = values.mean(axis=0)
    return np.asarray(mean + (values[index] - mean) * rng.uniform(0.3, 1.5, 3))


def warm_up(model: LiteRenderer, footage: Footage, steps: int, batch: int, seed: int, log: Path) -> None:
    """Train only the flow, on poses alone; cheap, as no picture is made."""
    rng, poses = np.random.default_rng(seed), RandomPoses(footage)
    device = model.texture.device
    still = footage.anchors(footage.still).to(device)
    optimizer = torch.optim.Adam(model.painter.parameters(), 1e-3)
    for step in range(steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, steps, 1e-3, 2e-4))
        maps, anchors = (part.to(device) for part in poses.draw(batch, rng))
        source = model.source(model.painter.flow_of(maps)[0])
        loss = anchor_loss(source, anchors, still)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.painter.parameters(), 5.0)
        optimizer.step()
        checkpoint.log_row(log, step=step + 1, anchors_px=loss.item())

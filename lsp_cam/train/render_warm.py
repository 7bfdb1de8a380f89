"""What the lite renderer's network learns before it sees a picture: to read the head's pose off the map."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lsp_cam.train import checkpoint
from lsp_cam.train.maps import body_apart, drawn_points, following_shoulders
from lsp_cam.train.models.lite import LiteRenderer
from lsp_cam.train.render_data import Footage
from lsp_cam.train.render_movement import PoseModes
from lsp_cam.train.tracked import Array, pinhole, rotation_of


class RandomPoses:
    """Maps of poses and faces that were never filmed together, and the poses' modes."""

    def __init__(self, footage: Footage) -> None:
        self._footage, self._clip = footage, footage.clip
        self._drawn, self._modes = drawn_points(footage.clip), PoseModes(footage.clip)
        self._body = body_apart(footage.clip)

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Maps (B, 1, S, S) and modes (B, MODES)."""
        pairs = [self._one(rng) for _ in range(batch)]
        return torch.stack([a for a, _ in pairs]), torch.cat([b for _, b in pairs])

    def _one(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        clip = self._clip
        face, turn, place, body = rng.integers(0, len(clip.points), 4)
        angles = _stretched(clip.angles, turn, rng)
        translation = _stretched(clip.translation, place, rng)
        head = self._drawn[face] @ rotation_of(angles[None])[0].T + translation
        apart = _stretched(self._body, body, rng)
        shoulders = following_shoulders(clip, translation[None])[0]
        shoulders[:, :2] += apart
        points, pixels = pinhole(head, clip.intrinsics), pinhole(shoulders, clip.intrinsics)
        return self._footage.drawn(points, pixels), self._modes(angles[None], translation[None], apart[None])


def _stretched(values: Array, index: int, rng: np.random.Generator) -> Array:
    """Line `index` of values (T, N), its distance from the mean changed by 0.3 to 1.3."""
    mean = values.mean(axis=0)
    return np.asarray(mean + (values[index] - mean) * rng.uniform(0.3, 1.3, len(mean)))


def warm_up(model: LiteRenderer, footage: Footage, steps: int, batch: int, rng: np.random.Generator, log: Path) -> None:
    """Train the network to move as the pose does, whose movement is known; cheap, as no picture is made."""
    poses, device, painter = RandomPoses(footage), model.texture.device, model.painter
    with torch.no_grad():
        painter.flow.weight.zero_()
    painter.sway.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in painter.parameters() if p.requires_grad], 1e-3)
    for step in range(steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, steps, 1e-3, 5e-5))
        maps, modes = (part.to(device) for part in poses.draw(batch, rng))
        loss = (painter.flow_of(maps)[0] - painter.swayed(modes)).abs().mean()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(painter.parameters(), 5.0)
        optimizer.step()
        checkpoint.log_row(log, step=step + 1, movement_px=loss.item())
    painter.sway.requires_grad_(True)

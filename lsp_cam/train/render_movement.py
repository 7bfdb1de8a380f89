"""How the texture moves with the head's pose, learned from the tracked poses before any network is trained."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lsp_cam.train import checkpoint
from lsp_cam.train.maps import body_apart
from lsp_cam.train.models.lite import MODES, LiteRenderer
from lsp_cam.train.render_data import Footage
from lsp_cam.train.render_losses import anchor_loss, bend_loss, structure_loss
from lsp_cam.train.tracked import Array, Tracked

RATE = 0.002  # of PULL pixels
BODY_MM = 1.0  # a body that leaves its place by less than that is not worth a mode: tracking is no better


class PoseModes:
    """Poses as `MODES` numbers: 1, the head's six and the body's two about the clip's mean, in deviations, and their
    products."""

    def __init__(self, clip: Tracked) -> None:
        pose = _poses(clip.angles, clip.translation, body_apart(clip))
        self._mean, self._deviation = pose.mean(axis=0), np.maximum(pose.std(axis=0), 1e-3)
        self._deviation[6:][self._deviation[6:] < BODY_MM] = np.inf  # its mode is 0: noise has nothing to teach

    def of_clip(self, clip: Tracked) -> Tensor:
        """Modes (T, MODES) of all frames."""
        return self(clip.angles, clip.translation, body_apart(clip))

    def __call__(self, angles: Array, translation: Array, body: Array) -> Tensor:
        """Modes (N, MODES) of angles and translations (N, 3), and of `maps.body_apart` (N, 2)."""
        z = (_poses(angles, translation, body) - self._mean) / self._deviation
        first, second = np.triu_indices(z.shape[1])
        columns = np.concatenate([np.ones((len(z), 1)), z, z[:, first] * z[:, second]], axis=1)
        assert columns.shape[1] == MODES
        return torch.from_numpy(columns).float()


def _poses(angles: Array, translation: Array, body: Array) -> Array:
    return np.concatenate([angles, translation, body], axis=1)


def fit_movement(
    model: LiteRenderer, footage: Footage, last: int, steps: int, rng: np.random.Generator, log: Path
) -> None:
    """Learn the flows of the modes: frames before `last` are to look like the moved texture, face and mouth apart."""
    clip, device = footage.clip, model.texture.device
    modes = PoseModes(clip).of_clip(clip).to(device)
    still = footage.anchors(footage.still).to(device)
    optimizer = torch.optim.Adam([model.painter.sway], RATE)
    for step in range(steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, steps, RATE, RATE / 20))
        which = [int(k) for k in rng.choice(last, 2)]
        truth = torch.stack([footage.picture(k) for k in which]).to(device)
        anchors = torch.stack([footage.anchors(k) for k in which]).to(device)
        flow = model.painter.swayed(modes[which])
        source = model.source(flow)
        picture = model.composed(source)
        same = (picture - truth).abs().mean(dim=1, keepdim=True)
        # What no movement shows is not to be explained by movement.
        for k, number in enumerate(which):
            same[k] *= 1 - footage.mouth(number).to(device)
        fade = max(0.0, 1 - 2 * step / steps)
        loss = same.mean() + 0.1 * structure_loss(picture, truth) + 2e-3 * bend_loss(source)
        loss = loss + (0.002 + 0.02 * fade) * anchor_loss(source, anchors, still)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        checkpoint.log_row(log, step=step + 1, loss=loss.item(), l1=same.mean().item())

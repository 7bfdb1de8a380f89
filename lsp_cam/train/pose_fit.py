"""Training of the head-pose network (section 3.3) on one short clip: likelihood of poses and their velocities.

A clip of minutes is little for a network of four million weights, so noise on the history, dropout on both inputs,
weight decay and the best of all validations guard against a head that wanders off. What guards best is not to teach it
to wander: how somebody sits, over many seconds, follows no speech, and a head that sways like that at other moments is
further from the true one than a head that stays. So most of the slow part is taken out of the poses (`Calm`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from torch.nn import functional

from lsp_cam.train import checkpoint
from lsp_cam.train.models.pose import LOOK_AHEAD, POSE, RECEPTIVE_FIELD, PoseNet, gaussian_nll
from lsp_cam.train.pose_roll import Clip, choose
from lsp_cam.train.tracked import Tracked


@dataclass(frozen=True)
class Config:
    """How to train."""

    out: Path
    steps: int = 220
    batch: int = 2
    frames: int = 700
    rate: float = 1e-3
    last_rate: float = 3e-5
    decay: float = 1e-2
    history_noise: float = 0.05
    feature_drop: float = 0.4
    deaf_share: float = 0.3
    train_share: float = 0.8
    seed: int = 1
    threads: int = 2
    save_every: int = 25
    check_every: int = 25


@dataclass(frozen=True)
class Calm:
    """How poses are steadied: the part slower than `slow_s` (a Gaussian's sigma) is kept to `slow_share`; what is
    faster than `smooth_frames` is the tracker's noise, and the corners that a lower frame rate leaves at 60 fps."""

    slow_s: float = 2.0
    slow_share: float = 0.15
    smooth_frames: float = 2.0

    def __call__(self, six: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
        """Angles and translation (T, 6), steadied about their mean."""
        mean = six.mean(axis=0)
        smooth = gaussian_filter1d(six - mean, self.smooth_frames, axis=0)
        slow = gaussian_filter1d(smooth, self.slow_s * fps, axis=0)
        fast = smooth - slow
        return np.asarray(mean + fast - fast.mean(axis=0) + self.slow_share * (slow - slow.mean(axis=0)))


def poses_of(clip: Tracked, calm: Calm | None = None) -> NDArray[np.float32]:
    """Poses (T, 12): three angles (the first less 180), translation about its mean, and the velocities of these six."""
    angles = clip.angles - np.array([180.0, 0.0, 0.0])
    six = np.concatenate([angles, clip.translation - clip.translation.mean(axis=0)], axis=1)
    six = calm(six, clip.fps) if calm else six
    velocity = np.diff(six, axis=0, prepend=six[:1])
    return np.concatenate([six, velocity], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Motion:
    """Poses (T, 12) in units of `scale` (12,), and variants (V, T, 1024) of the speech features beside them."""

    poses: NDArray[np.float32]
    scale: NDArray[np.float32]
    features: NDArray[np.float32]

    def rows(self, first: int, last: int, variant: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features, histories and targets of frames first..last; frame 0 has itself as its history."""
        frames = np.arange(first, last)
        ahead = np.minimum(frames + LOOK_AHEAD, len(self.poses) - 1)
        parts = self.features[variant][ahead], self.poses[np.maximum(frames - 1, 0)], self.poses[frames]
        features, history, target = (torch.from_numpy(part) for part in parts)
        return features, history, target

    def draw(self, config: Config, last: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """A batch of windows before frame `last`: as many frames to learn as asked, and their receptive field."""
        length = config.frames + RECEPTIVE_FIELD - 1
        firsts = rng.integers(0, last - length, config.batch)
        variants = rng.integers(0, len(self.features), config.batch)
        windows = [self.rows(int(a), int(a) + length, int(v)) for a, v in zip(firsts, variants, strict=True)]
        features, history, target = (torch.stack(part) for part in zip(*windows, strict=True))
        return features, history, target


def motion_of(clip: Tracked, features: NDArray[np.float32], calm: Calm | None = Calm()) -> Motion:
    """Poses scaled to unit deviation; without that, slow velocities would weigh nothing beside millimetres."""
    poses = poses_of(clip, calm)
    scale = poses.std(axis=0)
    return Motion(poses / scale, scale, features)


@torch.no_grad()
def validate(model: PoseNet, motion: Motion, first: int) -> float:
    """Negative log-likelihood (nats, in scaled units) of the frames from `first` on."""
    model.eval()
    features, history, target = motion.rows(first - RECEPTIVE_FIELD + 1, len(motion.poses), 0)
    raw = model(features[None], history[None])[:, RECEPTIVE_FIELD - 1 :]
    loss = float(gaussian_nll(raw, target[None, RECEPTIVE_FIELD - 1 :]))
    model.train()
    return loss


def loss_of(model: PoseNet, motion: Motion, last: int, config: Config, rng: np.random.Generator) -> Tensor:
    """Negative log-likelihood of a batch, inputs disturbed."""
    features, history, target = motion.draw(config, last, rng)
    history = history + config.history_noise * torch.randn_like(history)
    hears = torch.rand(len(features), 1, 1) >= config.deaf_share
    raw = model(functional.dropout(features, config.feature_drop) * hears, history)
    skipped = RECEPTIVE_FIELD - 1
    return gaussian_nll(raw[:, skipped:], target[:, skipped:])


def fit(motion: Motion, config: Config, tell: Callable[[float], None] = lambda _: None) -> Path:
    """Train, resuming if there is a checkpoint; returns the path of the chosen weights, in the published units. `tell`
    is given the share that is done.

    The likeliest weights (`pose_likeliest.pt`) foresee single steps; left to themselves they may hardly move. So they
    and the last ones are rolled out beside the validation speech, and chosen by how they move (`pose_best.pt`).
    """
    torch.set_num_threads(config.threads)
    checkpoint.seed_everything(config.seed)
    model, path, best_path = PoseNet(), config.out / "pose.pt", config.out / "pose_likeliest.pt"
    optimizer = torch.optim.AdamW(model.parameters(), config.rate, weight_decay=config.decay)
    rng = np.random.default_rng(config.seed)
    last = int(len(motion.poses) * config.train_share)
    for step in range(checkpoint.resume(path, model, optimizer, rng), config.steps):
        checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate))
        loss = loss_of(model, motion, last, config, rng)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        final = step + 1 == config.steps
        if final or (step + 1) % config.check_every == 0:
            now = validate(model, motion, last)
            checkpoint.log_row(config.out / "pose_check.csv", step=step + 1, nll=now)
            checkpoint.save_if_best(best_path, now, unscaled(model, motion.scale))
        if final or (step + 1) % config.save_every == 0:
            checkpoint.save(path, step + 1, model, optimizer, rng)
        checkpoint.log_row(config.out / "pose.csv", step=step + 1, loss=loss.item())
        tell((step + 1) / config.steps)
    likeliest = torch.load(best_path, weights_only=True)["model"]
    six, features = motion.poses[:, : POSE // 2] * motion.scale[: POSE // 2], motion.features[0]
    clip = Clip(six[:last], features[:last], features[last:])
    chosen = choose([likeliest, unscaled(model.eval(), motion.scale)], clip)
    checkpoint.write_weights(config.out / "pose_best.pt", chosen)
    return config.out / "pose_best.pt"


def unscaled(model: PoseNet, scale: NDArray[np.float32]) -> dict[str, Tensor]:
    """The state dict with scaled units folded into the first and the last convolution: degrees and mm outside."""
    state = {key: value.clone() for key, value in model.state_dict().items()}
    unit = torch.from_numpy(scale)
    state["WaveNet.start_conv1.weight"] /= unit[None, :, None]
    for key in ("WaveNet.end_conv_2.weight", "WaveNet.end_conv_2.bias"):
        state[key][1 : 1 + POSE] *= unit.reshape(-1, *[1] * (state[key].ndim - 1))
    state["WaveNet.end_conv_2.bias"][1 + POSE :] -= unit.log()
    return state

"""Small trainings for the tables' other rows: a mouth for each look-ahead; heads without likelihood or history.

The paper trains for hundreds of epochs; these take the steps that they are given, from nothing, on the subject's own
training footage. Compare them with each other only: all have the same data, steps and seed. Their networks then run on
the held-out speech in the running program's own stages, as the shipped ones do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsp_cam.backends.base import Engine
from lsp_cam.packets import MOTION_FPS, Float32, ProjectedFrame
from lsp_cam.stages.mouth import MouthConfig, MouthStage
from lsp_cam.subject import Subject, bundle_like
from lsp_cam.train import checkpoint, mouth_fit, pose_fit
from lsp_cam.train.evaluate.figures import Row
from lsp_cam.train.evaluate.mouth import SWEEP_MS, error_of, true_displacement
from lsp_cam.train.evaluate.speaking import speak
from lsp_cam.train.export import mouth_onnx
from lsp_cam.train.export_pose import pose_onnx, pose_speech_onnx
from lsp_cam.train.models.pose import POSE, RECEPTIVE_FIELD, PoseNet, gaussian_nll
from lsp_cam.train.mouth_data import Pool
from lsp_cam.train.tracked import Tracked

HEADS = ("likelihood", "no history", "L2 loss")


@dataclass(frozen=True)
class Config:
    """How much to train; rates fall along a cosine."""

    steps: int
    mouth_batch: int = 8
    mouth_frames: int = 120
    head_batch: int = 2
    head_frames: int = 300
    rate: float = 1e-3
    last_rate: float = 3e-5
    seed: int = 1


@dataclass(frozen=True)
class Lessons:
    """Training footage as the running program hears it: features (T, 1024) raw and projected, the clip at 60 fps."""

    raw: NDArray[np.float32]
    projected: NDArray[np.float32]
    clip: Tracked


def lessons_of(subject: Subject, engine: Engine, samples: Float32, clip: Tracked) -> Lessons:
    """What the subject's own chain makes of its training speech (N,), beside the clip."""
    spoken = speak(subject, engine, samples)
    count = min(len(clip.points), len(spoken.speech))
    raw, projected = (np.stack([p.rows.reshape(-1) for p in x[:count]]) for x in (spoken.speech, spoken.projected))
    moving = {name: getattr(clip, name)[:count] for name in ("points", "angles", "translation", "shoulders")}
    return Lessons(raw, projected, replace(clip, **moving))


def sweep(
    subject: Subject, engine: Engine, lessons: Lessons, projected: list[ProjectedFrame], clip: Tracked, config: Config
) -> Iterator[Row]:
    """Table 1 proper: a network trained for each look-ahead, its error in mm on the held-out clip (60 fps)."""
    moved = true_displacement(subject, lessons.clip).reshape(len(lessons.clip.points), -1).astype(np.float32)
    pool = Pool([lessons.raw.astype(np.float16)], [lessons.projected.astype(np.float16)], [moved])
    truth = true_displacement(subject, clip)
    for look_ahead_ms in SWEEP_MS:
        frames = round(look_ahead_ms / 1000 * MOTION_FPS)
        model = engine.load(mouth_onnx(_mouth(pool, frames, config).state_dict()), f"mouth {look_ahead_ms} ms", 1)
        stage = MouthStage(model, MouthConfig(frames))
        yield {"look_ahead_ms": look_ahead_ms, "error_mm": error_of(stage, projected, truth)}


def _mouth(pool: Pool, look_ahead: int, config: Config) -> nn.Module:
    checkpoint.seed_everything(config.seed)
    model, rng = mouth_fit.begin(pool), np.random.default_rng(config.seed)
    optimizer = torch.optim.Adam(model.parameters(), config.rate)
    for step in range(config.steps):
        features, truth = pool.draw(config.mouth_batch, config.mouth_frames, look_ahead, rng)
        ours = model(features)[0][:, look_ahead:]
        _descend(model, optimizer, (ours - truth).square().mean(), step, config)
    return model.eval()


def heads(subject: Subject, lessons: Lessons, config: Config, work: Path) -> Iterator[tuple[str, Subject]]:
    """Bundles below `work` like `subject`, each with another head: its name in the table, and the bundle."""
    motion = pose_fit.motion_of(lessons.clip, lessons.projected[None])
    for number, kind in enumerate(HEADS):
        state = _head(motion, kind, config)
        files = {"pose.onnx": pose_onnx(state), "pose_speech.onnx": pose_speech_onnx(state)}
        yield kind, bundle_like(subject, work / f"head{number}", files)


def _head(motion: pose_fit.Motion, kind: str, config: Config) -> dict[str, Tensor]:
    """A head-pose network's weights in degrees and mm."""
    checkpoint.seed_everything(config.seed)
    model, rng = PoseNet(), np.random.default_rng(config.seed)
    optimizer = torch.optim.AdamW(model.parameters(), config.rate, weight_decay=1e-2)
    draw = pose_fit.Config(Path(), batch=config.head_batch, frames=config.head_frames)
    last, skipped = len(motion.poses), RECEPTIVE_FIELD - 1
    for step in range(config.steps):
        features, history, target = motion.draw(draw, last, rng)
        history = history * (kind != "no history")
        raw, wanted = model(features, history)[:, skipped:], target[:, skipped:]
        plain = (raw[..., 1 : 1 + POSE] - wanted).square().mean()
        _descend(model, optimizer, plain if kind == "L2 loss" else gaussian_nll(raw, wanted), step, config)
    if kind == "no history":
        with torch.no_grad():
            model.WaveNet.start_conv1.weight.zero_()
    state = pose_fit.unscaled(model.eval(), motion.scale)
    if kind == "L2 loss":  # it learns no sigma, so that there is nothing to draw from
        state["WaveNet.end_conv_2.weight"][1 + POSE :] = 0
        state["WaveNet.end_conv_2.bias"][1 + POSE :] = 20
    return state


def _descend(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, step: int, config: Config) -> None:
    checkpoint.set_rate(optimizer, checkpoint.cosine_rate(step, config.steps, config.rate, config.last_rate))
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()

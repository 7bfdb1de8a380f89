"""What a trained head does when it is left to itself: roll-outs through the running program's stage, and its mean.

A step of the network is trained on the pose before it, and hardly moves away from it; so a tiny error of every step
adds up, in a roll-out, to a head that holds itself to one side.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsp_cam.backends.choose import open_engine
from lsp_cam.packets import ProjectedFrame
from lsp_cam.stages.gates import GatesStage
from lsp_cam.stages.pose import POSE, PoseConfig, PoseStage
from lsp_cam.stream import run_offline
from lsp_cam.train.export_pose import pose_onnx, pose_speech_onnx
from lsp_cam.train.models.pose import LOOK_AHEAD

SETTLING_FRAMES = 240
SIGMA_SCALE = 0.3
"""How much of the network's own uncertainty a head is drawn with: at 1 it shakes."""


@dataclass(frozen=True)
class Clip:
    """What heads are chosen by: the poses (T, 6) to learn from, the speech features (T, 1024) beside them, and those
    to validate with."""

    poses: NDArray[np.float32]
    features: NDArray[np.float32]
    held_out: NDArray[np.float32]


def roll_out(
    state: dict[str, Tensor], features: NDArray[np.float32], sigma_scale: float, seed: int
) -> NDArray[np.float32]:
    """Poses (T, 12) for speech features (T, 1024), by the weights `state` (degrees and mm)."""
    engine = open_engine("onnxruntime", threads=1)  # nothing is to be compiled for weights that may go
    speech, model = engine.load(pose_speech_onnx(state), "pose_speech"), engine.load(pose_onnx(state), "pose")
    stage = PoseStage(model, PoseConfig(LOOK_AHEAD, sigma_scale), seed, pad_tail=True)
    empty = np.zeros((2, 0), np.float32)
    heard = [ProjectedFrame(k, row.reshape(2, -1), empty.astype(np.int64), empty) for k, row in enumerate(features)]
    return np.stack([frame.sample for frame in run_offline(stage, run_offline(GatesStage(speech), heard))])


def centred(
    state: dict[str, Tensor], features: NDArray[np.float32], mean: NDArray[np.float32], sigma_scale: float = SIGMA_SCALE
) -> dict[str, Tensor]:
    """The same weights about another origin, so that the mean of a roll-out is `mean` (6,), that of the clip.

    f(x) becomes f(x + m) - m, which moves every roll-out by -m and changes nothing else.
    """
    rolled = [roll_out(state, features, sigma_scale, seed)[SETTLING_FRAMES:, : POSE // 2] for seed in range(2)]
    away = torch.from_numpy(np.mean(rolled, axis=(0, 1)) - mean).float()
    moved = {key: value.clone() for key, value in state.items()}
    moved["WaveNet.start_conv1.bias"] += moved["WaveNet.start_conv1.weight"][:, : POSE // 2, 0] @ away
    moved["WaveNet.end_conv_2.bias"][1 : 1 + POSE // 2] -= away
    return moved


def unlikeness(rolled: NDArray[np.float32], poses: NDArray[np.float32]) -> float:
    """How far the mean and the deviation of a roll-out (T, 6) are from those of poses (T, 6), in their deviations."""
    mean, spread = poses.mean(axis=0), poses.std(axis=0)
    away = np.abs(rolled.mean(axis=0) - mean) + np.abs(rolled.std(axis=0) - spread)
    return float((away / spread).mean())


def choose(candidates: list[dict[str, Tensor]], clip: Clip) -> dict[str, Tensor]:
    """Of several weights those whose roll-out beside the validation speech is most like the clip, brought to its mean.

    A clip too short to settle in is left with the first.
    """
    if min(len(clip.features), len(clip.held_out)) <= SETTLING_FRAMES:
        return candidates[0]
    placed = [centred(state, clip.features, clip.poses.mean(axis=0)) for state in candidates]
    rolled = [roll_out(state, clip.held_out, SIGMA_SCALE, seed=2)[SETTLING_FRAMES:, : POSE // 2] for state in placed]
    return placed[int(np.argmin([unlikeness(one, clip.poses) for one in rolled]))]

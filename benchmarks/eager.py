"""The motion chain computed as the published code does, in PyTorch eager: the yardstick of `motion.py`.

Per 1/120 s one STFT of its own; neighbours by a whole distance matrix, weights row by row; the head pose by running the
network over its whole receptive field for every frame. The networks have random weights: only their cost matters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lsp_cam.train.models.mouth import MouthNet
from lsp_cam.train.models.pose import POSE, RECEPTIVE_FIELD, PoseNet
from lsp_cam.train.models.speech import SpeechEncoder

F = NDArray[np.float32]
ROWS_PER_FRAME = 2
LOOK_AHEAD_FRAMES = 15


def mel_rows(audio: F, filters: torch.Tensor, frames: int) -> F:
    """One STFT call for each row (2 frames, 80)."""
    window = torch.hann_window(266)
    rows = np.zeros((frames * ROWS_PER_FRAME, 80), np.float32)
    for i in range(len(rows)):
        start = i * 16000 // 120
        piece = np.zeros(266, np.float32)
        part = audio[start : start + 266]
        piece[: len(part)] = part
        padded = torch.nn.functional.pad(torch.from_numpy(piece)[None, None], (189, 189), "reflect")[0]
        spectrum = torch.stft(padded, 512, 133, 266, window, center=False, return_complex=True).abs()
        rows[i] = torch.log(torch.clamp(filters @ spectrum[0, :, :1], min=1e-5))[:, 0].numpy()
    return rows


def projected(features: F, base: F, neighbours: int) -> F:
    """All distances at once, then one small system of equations for each row."""
    x, b = torch.from_numpy(features), torch.from_numpy(base)
    distances = (x * x).sum(-1, keepdim=True) + (b * b).sum(-1) - 2 * x @ b.T
    nearest = distances.topk(neighbours, dim=1, largest=False).indices.numpy()
    out = np.empty_like(features)
    for i, row in enumerate(features):
        near = base[nearest[i]]
        spread = (near[1:] - near[0]).T
        gram = spread.T @ spread + 1e-6 * np.eye(neighbours - 1, dtype=np.float32)
        weights = np.linalg.solve(gram, spread.T @ (row - near[0]))
        out[i] = (1 - weights.sum()) * near[0] + weights @ near[1:]
    return out


def head_poses(model: PoseNet, speech: F, frames: int) -> F:
    """The whole receptive field (255 frames) again for every pose."""
    padded = np.concatenate([np.repeat(speech[:1], RECEPTIVE_FIELD - 1, 0), speech])
    history = torch.zeros(1, RECEPTIVE_FIELD, POSE)
    poses = np.zeros((frames, POSE), np.float32)
    for i in range(frames):
        window = padded[i + LOOK_AHEAD_FRAMES : i + LOOK_AHEAD_FRAMES + RECEPTIVE_FIELD]
        raw = model(torch.from_numpy(window)[None], history)[:, -1:]
        sample = raw[..., 1 : 1 + POSE]
        poses[i] = sample[0, 0].numpy()
        history = torch.cat([history[:, 1:], sample], 1)
    return poses


def run(audio: F, base: F, filters: F, draw: Callable[[int], Any]) -> dict[str, float]:
    """Seconds per 60 fps frame of each part, for `audio` (S,) 16 kHz; `draw(frame)` makes one feature map."""
    torch.manual_seed(0)
    speech_net, mouth_net, pose_net = SpeechEncoder().eval(), MouthNet().eval(), PoseNet().eval()
    frames = int(len(audio) / 16000 * 60)
    spent: dict[str, float] = {}

    def timed(name: str, function: Callable[[], Any], count: int) -> Any:
        began = time.perf_counter()
        value = function()
        spent[name] = (time.perf_counter() - began) / count
        return value

    with torch.inference_mode():
        mel = timed("mel", lambda: mel_rows(audio, torch.from_numpy(filters.T.copy()), frames), frames)
        features = timed("speech", lambda: speech_net(torch.from_numpy(mel)[None])[0][0].numpy(), frames)
        on_manifold = timed("manifold", lambda: projected(features, base, 10), frames)
        pairs = on_manifold.reshape(frames, -1)
        timed("mouth", lambda: mouth_net(torch.from_numpy(pairs)[None])[0].numpy(), frames)
        posed = min(frames - LOOK_AHEAD_FRAMES, 60)
        timed("pose", lambda: head_poses(pose_net, pairs, posed), posed)
    timed("face to map", lambda: [draw(i) for i in range(frames)], frames)
    return spent


cv2.setNumThreads(1)

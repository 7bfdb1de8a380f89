"""What the running program makes of held-out speech: its own chain, every stage's packets kept."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from lsp_cam.backends.base import Engine
from lsp_cam.errors import AudioError
from lsp_cam.packets import Float32, LandmarkFrame, MouthFrame, ProjectedFrame, SpeechFrame
from lsp_cam.pipeline import Pipeline, PipelineConfig
from lsp_cam.stages.gates import GatesStage
from lsp_cam.stages.head import LiveHead
from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER
from lsp_cam.stages.mouth import MouthConfig
from lsp_cam.stages.pose import PoseStage
from lsp_cam.stream import chunked, run_offline
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate.figures import Array

CHUNK_SAMPLES = 1600


@dataclass(frozen=True)
class Spoken:
    """Frames at 60 fps: speech and projected features, the mouth's displacements, the face that is shown
    (T, 73, 3) in the subject's axes, its head poses (T, 6), and where all that is drawn."""

    pipeline: Pipeline
    speech: list[SpeechFrame]
    projected: list[ProjectedFrame]
    mouth: list[MouthFrame]
    faces: Float32
    poses: Float32
    landmarks: list[LandmarkFrame]


class Speaker:
    """A subject that speaks, one recording after another, its networks loaded once."""

    def __init__(self, subject: Subject, engine: Engine, seed: int = 0) -> None:
        self._kept: dict[str, list[Any]] = defaultdict(list)
        self.pipeline = Pipeline(
            subject, engine, PipelineConfig(seed=seed), tap=lambda name, y: self._kept[name].append(y)
        )

    def speak(self, samples: Float32) -> Spoken:
        """Run speech (N,) through the live chain, as it goes on air; AudioError if the chain hears no speech."""
        self._kept.clear()
        landmarks = list(run_offline(self.pipeline.motion, chunked(samples, CHUNK_SAMPLES)))
        kept = dict(self._kept)
        if not any(voice.gate for voice in kept.get("voice", ())):
            raise AudioError("There is no speech in this part of the video. Choose footage of somebody who talks.")
        faces = np.stack([face.points for face in kept["face"]])
        poses = np.stack([face.pose for face in kept["face"]])
        return Spoken(self.pipeline, kept["speech"], kept["manifold"], kept["mouth"], faces, poses, landmarks)


def speak(subject: Subject, engine: Engine, samples: Float32) -> Spoken:
    """One recording (N,); see `Speaker.speak`."""
    return Speaker(subject, engine).speak(samples)


def head_poses(
    subject: Subject, engine: Engine, projected: list[ProjectedFrame], seed: int, sigma: float | None = None
) -> Float32:
    """Head poses (T, 6) for the same speech with another seed; `sigma` 0 leaves the randomness out."""
    pose = PoseStage.from_subject(subject, engine, seed=seed, sigma_scale=sigma, pad_tail=True)
    slack = subject.config("mouth", MouthConfig).look_ahead_frames - pose.config.look_ahead_frames
    head = LiveHead.from_subject(subject, look_ahead_frames=max(slack, 0))
    gates = run_offline(GatesStage.from_subject(subject, engine), projected)
    return np.stack([frame.pose for frame in run_offline(head, run_offline(pose, gates))])


def lip_gap(points: Array | Float32) -> Array:
    """Gap (T,) in mm between the inner lips of points (T, 73, 3), mean of the three pairs; pressed lips have none."""
    heights = points[:, LIPS_INNER_UPPER, 1] - points[:, LIPS_INNER_LOWER, 1]
    return np.asarray(np.maximum(heights.mean(axis=1), 0.0), np.float64)

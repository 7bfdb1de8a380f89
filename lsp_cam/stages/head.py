"""The head's pose: amplified, smoothed, brought into the camera's axes (section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import Field

from ..packets import MOTION_FPS, Float32, HeadFrame, PoseFrame
from ..subject import Subject
from .smoothing import Float64, StreamGaussian, smooth_clip

FACING_CAMERA_DEG = 180.0  # about x: the subject's axes have y up and z towards the viewer, the camera's neither

Factor = Annotated[float, Field(ge=-10, le=10)]
Sigma = Annotated[float, Field(ge=0, le=60)]
Angle = Annotated[float, Field(ge=-180, le=180)]
Seconds = Annotated[float, Field(ge=0, le=600)]


@dataclass(frozen=True)
class HeadConfig:
    """Factors, sigmas in frames, the mean of the tracked angles (degrees, as the network gives them), and over how many
    seconds the head comes back to its mean pose from where the network lets it wander (0: never, as published)."""

    amplify_rotation: Factor = 1.0
    amplify_translation: Factor = 1.0
    smooth_rotation_frames: Sigma = 5.0
    smooth_translation_frames: Sigma = 10.0
    mean_rotation_deg: tuple[Angle, Angle, Angle] = (0.0, 0.0, 0.0)
    recentre_s: Seconds = 0.0


class HeadMaker:
    """What both ways of smoothing share."""

    def __init__(self, config: HeadConfig, mean_translation: Float32) -> None:
        self.config = config
        self._origin = np.array([FACING_CAMERA_DEG, 0, 0, *mean_translation], np.float32)
        self._factors = np.repeat(np.array([config.amplify_rotation, config.amplify_translation], np.float32), 3)
        turned = np.array(config.mean_rotation_deg, np.float32) * np.float32(config.amplify_rotation)
        mean = np.concatenate([turned, np.zeros(3, np.float32)])
        self.rest_pose: Float32 = self._origin + mean
        self._mean = mean.astype(np.float64)
        self._pull = 1 / max(config.recentre_s * MOTION_FPS, 1) if config.recentre_s else 0.0

    def amplified(self, sample: Float32) -> Float64:
        """Angles and translation (6,) of a sample (12,), amplified."""
        return (sample[:6] * self._factors).astype(np.float64)

    def recentred(self, motion: Float64, wander: Float64 | None) -> tuple[Float64, Float64]:
        """Motion (6,) less its `wander`, which is how far it has lately been from the mean, and the wander now.

        For speech unlike any that it learned from a network may hold the head to one side.
        """
        before = np.zeros(6) if wander is None else wander
        now = before + self._pull * (motion - self._mean - before)
        return motion - now, now

    def pose(self, smoothed: Float64) -> Float32:
        """Smoothed motion (..., 6) in the camera's axes, added up in float32 as published."""
        out: Float32 = smoothed.astype(np.float32) + self._origin
        return out


@dataclass(slots=True)
class ClipHeadState:
    """Everything since the start of the clip."""

    frames: list[int] = field(default_factory=list)
    motion: list[Float64] = field(default_factory=list)
    wander: Float64 | None = None


class ClipHead:
    """PoseFrame -> HeadFrame, the whole clip at once as published: all comes at `flush`."""

    def __init__(self, config: HeadConfig, mean_translation: Float32) -> None:
        self.config = config
        self._maker = HeadMaker(config, mean_translation)
        self.rest_pose = self._maker.rest_pose

    @classmethod
    def from_subject(cls, subject: Subject) -> ClipHead:
        return cls(subject.config("head", HeadConfig), mean_translation(subject))

    def start(self) -> ClipHeadState:
        return ClipHeadState()

    def step(self, x: PoseFrame, state: ClipHeadState) -> tuple[list[HeadFrame], ClipHeadState]:
        state.frames.append(x.frame)
        motion, state.wander = self._maker.recentred(self._maker.amplified(x.sample), state.wander)
        state.motion.append(motion)
        return [], state

    def flush(self, state: ClipHeadState) -> tuple[list[HeadFrame], ClipHeadState]:
        if not state.frames:
            return [], state
        motion = np.stack(state.motion)
        rotation = smooth_clip(motion[:, :3], self.config.smooth_rotation_frames)
        translation = smooth_clip(motion[:, 3:], self.config.smooth_translation_frames)
        poses = self._maker.pose(np.concatenate([rotation, translation], axis=1))
        return [HeadFrame(f, p) for f, p in zip(state.frames, poses, strict=True)], self.start()


@dataclass(slots=True)
class LiveHeadState:
    """The window of the smoothing (None before the first frame), how many values it has seen (repeats at the end
    included), the frames that have come in, the next to leave, and how far the head has wandered (6,)."""

    window: Float64 | None = None
    seen: int = 0
    arrived: int = 0
    next_frame: int = 0
    wander: Float64 | None = None


class LiveHead:
    """PoseFrame -> HeadFrame: frame t leaves when t + look_ahead_frames has come in; the Gaussian's rest looks back."""

    def __init__(self, config: HeadConfig, mean_translation: Float32, look_ahead_frames: int = 0) -> None:
        self.config = config
        self._maker = HeadMaker(config, mean_translation)
        self.rest_pose = self._maker.rest_pose
        self._ahead = look_ahead_frames
        sigmas = [config.smooth_rotation_frames] * 3 + [config.smooth_translation_frames] * 3
        self._gaussian = StreamGaussian(sigmas, look_ahead_frames)

    @classmethod
    def from_subject(cls, subject: Subject, look_ahead_frames: int = 0) -> LiveHead:
        return cls(subject.config("head", HeadConfig), mean_translation(subject), look_ahead_frames)

    @property
    def lag_frames(self) -> tuple[float, float]:
        """How far slow rotation and translation trail behind."""
        return float(self._gaussian.lag_frames[0]), float(self._gaussian.lag_frames[3])

    def start(self) -> LiveHeadState:
        return LiveHeadState()

    def step(self, x: PoseFrame, state: LiveHeadState) -> tuple[list[HeadFrame], LiveHeadState]:
        newest, state.wander = self._maker.recentred(self._maker.amplified(x.sample), state.wander)
        if state.window is None:
            state.window = self._gaussian.begin(newest)
            state.next_frame = x.frame
        state.arrived += 1
        return self._advance(newest, state.window, state), state

    def flush(self, state: LiveHeadState) -> tuple[list[HeadFrame], LiveHeadState]:
        out: list[HeadFrame] = []
        if state.window is not None:
            while len(out) < min(self._ahead, state.arrived):
                out += self._advance(state.window[-1].copy(), state.window, state)
        return out, self.start()

    def _advance(self, newest: Float64, window: Float64, state: LiveHeadState) -> list[HeadFrame]:
        self._gaussian.push(window, newest)
        state.seen += 1
        if state.seen <= self._ahead:
            return []
        state.next_frame += 1
        return [HeadFrame(state.next_frame - 1, self._maker.pose(self._gaussian.smooth(window)))]


def mean_translation(subject: Subject) -> Float32:
    """Mean of the tracked translations (3,), the subject's units."""
    return subject.arrays("camera.npz", mean_translation=(3,))["mean_translation"].astype(np.float32)

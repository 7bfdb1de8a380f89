"""The mouth's shape: displacements smoothed, amplified, put on the mean face, crossed lips parted (section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from pydantic import Field

from ..packets import Float32, MouthFrame, ShapeFrame
from ..subject import Subject
from .landmarks import (
    LIPS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    LIPS_OUTER_LOWER,
    LIPS_OUTER_UPPER,
    MOUTH_LOWER,
    MOUTH_RELATED,
    MOUTH_UPPER,
    POINTS,
)
from .smoothing import Float64, StreamGaussian, smooth_clip

# Arrays: numpy takes longer to make one of a tuple than to look its points up.
_MOUTH, _INNER_UPPER, _INNER_LOWER, _OUTER_UPPER, _OUTER_LOWER = (
    np.array(points)
    for points in (MOUTH_RELATED, LIPS_INNER_UPPER, LIPS_INNER_LOWER, LIPS_OUTER_UPPER, LIPS_OUTER_LOWER)
)
Factor = Annotated[float, Field(ge=-10, le=10)]
Gap = Annotated[float, Field(ge=0, le=1000)]
_FIRST_LIP = MOUTH_RELATED.index(LIPS[0])  # the lips are the last of the mouth-related points


@dataclass(frozen=True)
class ShapeConfig:
    """Sigma of the smoothing in frames; what displacements are multiplied by along x, y, z, for the upper and
    the lower half of the mouth; how much of the change since the frame before is added on top.

    `close_small`: between the inner lips, a gap under the first is shut, one up to the second is narrowed the less the
    wider it is (the subject's units; zeros: none is). The network hears many a p, b or m as a mouth that nearly closes.
    """

    smooth_frames: Annotated[float, Field(ge=0, le=60)] = 1.5
    amplify_upper: tuple[Factor, Factor, Factor] = (1.0, 1.0, 1.0)
    amplify_lower: tuple[Factor, Factor, Factor] = (1.0, 1.0, 1.0)
    amplify_change: Factor = 0.0
    close_small: tuple[Gap, Gap] = (0.0, 0.0)

    def __post_init__(self) -> None:
        if self.close_small[0] > self.close_small[1]:
            raise ValueError("close_small: the gap that is shut must not be wider than the one that is left alone")


class MouthShaper:
    """Smoothed displacements to points on the mean face; what both ways of smoothing share."""

    def __init__(self, config: ShapeConfig, mean_points: Float64) -> None:
        self._mean = mean_points[list(MOUTH_RELATED)]
        self._rest = mean_points
        self._change = config.amplify_change
        self._shut, self._left_alone = config.close_small
        factors = {
            **dict.fromkeys(MOUTH_UPPER, config.amplify_upper),
            **dict.fromkeys(MOUTH_LOWER, config.amplify_lower),
        }
        self._factors = np.array([factors[point] for point in LIPS], np.float64)

    def points(self, moves: Float64, before: Float64, *, parted_alike: bool) -> Float32:
        """Points (n, 73, 3) of displacements `moves` (n, 25, 3) and those of the frame before each (n, 25, 3)."""
        moved = moves.copy()
        lips = moved[:, _FIRST_LIP:]
        if self._change:
            lips += self._change * (moves - before)[:, _FIRST_LIP:]
        lips *= self._factors
        out = np.repeat(self._rest[None], len(moves), axis=0)
        out[:, _MOUTH] = self._mean + moved
        part_lips(out, alike=parted_alike)
        if self._left_alone:
            close_lips(out, self._shut, self._left_alone)
        return out.astype(np.float32)


def part_lips(points: Float64, *, alike: bool) -> None:
    """Move apart, in place, the lips of those of `points` (n, 73, 3) where all three inner pairs cross (y is up).

    Inner lips by half their overlap each, outer lips by the mean of that: `alike` takes the mean over
    all such frames of the clip, as published; else each frame has its own.
    """
    overlap = points[:, _INNER_LOWER, 1] - points[:, _INNER_UPPER, 1]
    crossed = np.flatnonzero((overlap > 0).all(axis=1))[:, None]
    if not crossed.size:
        return
    half = overlap[crossed[:, 0]] / 2
    outer = half.mean(keepdims=True) if alike else half.mean(axis=1, keepdims=True)
    points[crossed, _INNER_UPPER, 1] += half
    points[crossed, _INNER_LOWER, 1] -= half
    points[crossed, _OUTER_UPPER, 1] += outer
    points[crossed, _OUTER_LOWER, 1] -= outer


def close_lips(points: Float64, shut: float, left_alone: float) -> None:
    """Bring together, in place, the lips of those of `points` (n, 73, 3) whose inner gap (mean of three) is small.

    A gap up to `shut` becomes 0, and up to `left_alone` it grows from there to what it is; each lip goes half the way.
    """
    gaps = points[:, _INNER_UPPER, 1] - points[:, _INNER_LOWER, 1]
    mean = gaps.sum(axis=1) / len(_INNER_UPPER)
    small = np.flatnonzero((mean > 0) & (mean < left_alone))[:, None]
    if not small.size:
        return
    mean = mean[small]
    wanted = np.maximum(mean - shut, 0) * left_alone / (left_alone - shut) if left_alone > shut else 0 * mean
    half = gaps[small[:, 0]] * (1 - wanted / mean) / 2
    outer = half.mean(axis=1, keepdims=True)
    points[small, _INNER_UPPER, 1] -= half
    points[small, _INNER_LOWER, 1] += half
    points[small, _OUTER_UPPER, 1] -= outer
    points[small, _OUTER_LOWER, 1] += outer


@dataclass(slots=True)
class ClipShapeState:
    """Everything since the start of the clip."""

    frames: list[int] = field(default_factory=list)
    moves: list[Float32] = field(default_factory=list)


class ClipShape:
    """MouthFrame -> ShapeFrame, the whole clip at once as published: all comes at `flush`.

    `drop_tail_frames` at the end are left out before the smoothing: they have no head pose.
    """

    def __init__(self, config: ShapeConfig, mean_points: Float64, drop_tail_frames: int = 0) -> None:
        self.config = config
        self._shaper = MouthShaper(config, mean_points)
        self._drop = drop_tail_frames

    @classmethod
    def from_subject(cls, subject: Subject, drop_tail_frames: int = 0) -> ClipShape:
        return cls(subject.config("shape", ShapeConfig), _mean_points(subject), drop_tail_frames)

    def start(self) -> ClipShapeState:
        return ClipShapeState()

    def step(self, x: MouthFrame, state: ClipShapeState) -> tuple[list[ShapeFrame], ClipShapeState]:
        state.frames.append(x.frame)
        state.moves.append(x.points)
        return [], state

    def flush(self, state: ClipShapeState) -> tuple[list[ShapeFrame], ClipShapeState]:
        count = len(state.frames) - self._drop
        if count <= 0:
            return [], self.start()
        clip = np.stack(state.moves[:count]).reshape(count, -1)
        moves = smooth_clip(clip, self.config.smooth_frames).reshape(count, -1, 3)
        before = np.concatenate([moves[:1], moves[:-1]])
        points = self._shaper.points(moves, before, parted_alike=True)
        return [ShapeFrame(f, p) for f, p in zip(state.frames, points)], self.start()


@dataclass(slots=True)
class LiveShapeState:
    """The window of the smoothing and the last smoothed displacements (25, 3); None before the first frame."""

    window: Float64 | None = None
    before: Float64 | None = None


class LiveShape:
    """MouthFrame -> ShapeFrame, each at once: the Gaussian looks back only."""

    def __init__(self, config: ShapeConfig, mean_points: Float64) -> None:
        self.config = config
        self._shaper = MouthShaper(config, mean_points)
        self._gaussian = StreamGaussian([config.smooth_frames])

    @classmethod
    def from_subject(cls, subject: Subject) -> LiveShape:
        return cls(subject.config("shape", ShapeConfig), _mean_points(subject))

    @property
    def lag_frames(self) -> float:
        """How far slow movement trails behind."""
        return float(self._gaussian.lag_frames[0])

    def start(self) -> LiveShapeState:
        return LiveShapeState()

    def step(self, x: MouthFrame, state: LiveShapeState) -> tuple[list[ShapeFrame], LiveShapeState]:
        newest = x.points.reshape(-1).astype(np.float64)
        if state.window is None:
            state.window = self._gaussian.begin(newest)
        state.window = self._gaussian.push(state.window, newest)
        moves = self._gaussian.smooth(state.window).reshape(1, -1, 3)
        before = moves if state.before is None else state.before[None]
        state.before = moves[0]
        points = self._shaper.points(moves, before, parted_alike=False)
        return [ShapeFrame(x.frame, points[0])], state

    def flush(self, state: LiveShapeState) -> tuple[list[ShapeFrame], LiveShapeState]:
        return [], state


def _mean_points(subject: Subject) -> Float64:
    return subject.arrays("face.npz", mean_points=(POINTS, 3))["mean_points"].astype(np.float64)

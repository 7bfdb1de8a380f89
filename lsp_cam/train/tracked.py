"""A tracked clip: head-fixed points, head poses, shoulders and the camera, frame by frame."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def angles_of(rotation: Array) -> Array:
    """Angles (T, 3) in degrees about x, y, z of rotations (T, 3, 3) = Rz Ry Rx, the first in 0..360.

    The camera's y points down and its z away, so that a face turned to the camera has its first angle near 180.
    """
    x = np.degrees(np.arctan2(rotation[:, 2, 1], rotation[:, 2, 2]))
    y = np.degrees(np.arcsin(np.clip(-rotation[:, 2, 0], -1, 1)))
    z = np.degrees(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]))
    return np.stack([np.where(x < 0, x + 360, x), y, z], axis=1)


def rotation_of(angles: Array) -> Array:
    """Rotations (T, 3, 3) = Rz Ry Rx of angles (T, 3) in degrees."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(np.radians(angles)).T, np.cos(np.radians(angles)).T
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


@dataclass(frozen=True)
class Tracked:
    """A clip as the tracker would give it; lengths in mm, angles in degrees, T frames at `fps`.

    points (T, 73, 3) head-fixed, about `centre` of the rig's axes; neutral (73, 3) likewise; angles and translation
    (T, 3) of the head in the camera; shoulders (T, 18, 3) in the camera; intrinsics (3, 3).
    """

    fps: float
    points: Array
    neutral: Array
    angles: Array
    translation: Array
    shoulders: Array
    intrinsics: Array
    centre: Array

    def at_rate(self, fps: float) -> Tracked:
        """The same clip at another frame rate, linearly interpolated between frame centres."""
        frames = len(self.points)
        count = int(frames * fps / self.fps)
        when = np.clip((np.arange(count) + 0.5) * self.fps / fps - 0.5, 0, frames - 1)
        low = np.minimum(when.astype(int), frames - 2)

        def between(values: Array) -> Array:
            share = (when - low).reshape(-1, *[1] * (values.ndim - 1))
            return np.asarray(values[low] * (1 - share) + values[low + 1] * share)

        moved = (between(a) for a in (self.points, self.angles, self.translation, self.shoulders))
        points, angles, translation, shoulders = moved
        return Tracked(fps, points, self.neutral, angles, translation, shoulders, self.intrinsics, self.centre)

    def project(self, points: Array) -> Array:
        """Pixels (T, P, 2) of head-fixed points (T, P, 3) under this clip's head poses."""
        camera = np.einsum("tij,tpj->tpi", rotation_of(self.angles), points) + self.translation[:, None]
        return pinhole(camera, self.intrinsics)


def pinhole(camera: Array, intrinsics: Array) -> Array:
    """Pixels (..., 2) of points (..., 3) in the camera."""
    image = camera @ intrinsics.T
    return np.asarray(image[..., :2] / image[..., 2:])


def save_tracked(path: Path, clip: Tracked) -> None:
    """Write a clip as `.npz`; the file is either whole or not there."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **{field.name: getattr(clip, field.name) for field in fields(clip)})
    os.replace(partial, path)


def load_tracked(path: Path) -> Tracked:
    """Read what `save_tracked` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        rest = {field.name: arrays[field.name] for field in fields(Tracked) if field.name != "fps"}
        return Tracked(fps=float(arrays["fps"]), **rest)

"""Rigid pose and perspective, for many frames at once: residuals, derivatives and Gauss-Newton steps.

Letters: T frames, V points. A point s of the head is seen at K (R s + t); R (T, 3, 3), t (T, 3) in mm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FACING: Array = np.diag([1.0, -1.0, -1.0])
"""Rotation of a head that faces the camera: x to its left, y up, z to the camera."""


@dataclass(frozen=True)
class Poses:
    """Rotations (T, 3, 3) and translations (T, 3) of the head in the camera."""

    rotation: Array
    translation: Array

    def __len__(self) -> int:
        return len(self.rotation)

    def of(self, frames: NDArray[np.integer]) -> "Poses":
        """Those of some frames."""
        return Poses(self.rotation[frames], self.translation[frames])


@dataclass(frozen=True)
class Lens:
    """Focal length and principal point (2,) in pixels."""

    focal: float
    centre: Array

    @property
    def matrix(self) -> Array:
        """Intrinsics (3, 3)."""
        return np.asarray(np.diag([self.focal, self.focal, 1.0]) + np.outer([*self.centre, 0.0], [0, 0, 1]))


def placed(poses: Poses, shape: Array) -> Array:
    """Points (T, V, 3) of a shape (V, 3) in the camera."""
    return np.asarray(np.einsum("tij,vj->tvi", poses.rotation, shape) + poses.translation[:, None])


def seen(camera: Array, lens: Lens) -> Array:
    """Pixels (T, V, 2) of points (T, V, 3) in the camera."""
    return np.asarray(lens.focal * camera[..., :2] / camera[..., 2:] + lens.centre)


def by_place(camera: Array, lens: Lens) -> Array:
    """Derivatives (T, V, 2, 3) of pixels by points in the camera."""
    inverse = 1 / camera[..., 2]
    out = np.zeros((*camera.shape[:-1], 2, 3))
    out[..., 0, 0] = out[..., 1, 1] = lens.focal * inverse
    out[..., 0, 2] = -lens.focal * camera[..., 0] * inverse**2
    out[..., 1, 2] = -lens.focal * camera[..., 1] * inverse**2
    return out


def by_pose(camera: Array, poses: Poses, place: Array) -> Array:
    """Derivatives (T, V, 2, 6) of pixels by a small turn (3) and shift (3) of the head; `place`: of `by_place`."""
    turned = camera - poses.translation[:, None]
    cross = np.zeros((*turned.shape, 3))
    for row, column, axis, sign in (
        (0, 1, 2, 1),
        (0, 2, 1, -1),
        (1, 0, 2, -1),
        (1, 2, 0, 1),
        (2, 0, 1, 1),
        (2, 1, 0, -1),
    ):
        cross[..., row, column] = sign * turned[..., axis]
    return np.concatenate([place @ cross, place], axis=-1)


def moved(poses: Poses, step: Array) -> Poses:
    """Poses after small turns and shifts (T, 6)."""
    return Poses(turns(step[:, :3]) @ poses.rotation, poses.translation + step[:, 3:])


def turns(vectors: Array) -> Array:
    """Rotations (T, 3, 3) about axes, by their lengths in radians (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None] + 1e-12
    x, y, z = np.moveaxis(vectors, -1, 0)
    none = np.zeros_like(x)
    unit = np.moveaxis(np.array([[none, -z, y], [z, none, -x], [-y, x, none]]), (0, 1), (-2, -1)) / angle
    return np.asarray(np.eye(3) + np.sin(angle) * unit + (1 - np.cos(angle)) * unit @ unit)


def fit_poses(pixels: Array, shape: Array, lens: Lens, weights: Array, start: Poses, rounds: int = 6) -> Poses:
    """Poses that bring a shape (V, 3) onto pixels (T, V, 2); weights (V,), lessened where one frame's point strays."""
    poses = start
    for _ in range(rounds):
        camera = placed(poses, shape)
        error = pixels - seen(camera, lens)
        trust = weights * robust(error)
        slope = by_pose(camera, poses, by_place(camera, lens))
        weighted = slope * trust[..., None, None]
        left = np.einsum("tvki,tvkj->tij", weighted, slope, optimize=True) + 1e-9 * np.eye(6)
        right = np.einsum("tvki,tvk->ti", weighted, error, optimize=True)
        poses = moved(poses, np.linalg.solve(left, right[..., None])[..., 0])
    return poses


def robust(error: Array, usual: float = 6.0) -> Array:
    """Weights (T, V) in 0..1 of errors (T, V, 2) in pixels: less the farther beyond a few times the frame's median."""
    size = np.linalg.norm(error, axis=2)
    scale = usual * np.median(size, axis=1, keepdims=True) + 1e-6
    return np.asarray(1 / (1 + (size / scale) ** 2))


def first_poses(pixels: Array, shape: Array, lens: Lens) -> Poses:
    """A start: every head faces the camera, as large as it is seen."""
    spread = np.linalg.norm(pixels - pixels.mean(axis=1, keepdims=True), axis=2).mean(axis=1)
    depth = lens.focal * np.linalg.norm((shape - shape.mean(axis=0))[:, :2], axis=1).mean() / spread
    middle = (pixels.mean(axis=1) - lens.centre) * depth[:, None] / lens.focal
    turned = np.repeat(FACING[None], len(pixels), axis=0)
    translation = np.concatenate([middle, depth[:, None]], axis=1) - turned @ shape.mean(axis=0)
    return Poses(turned, translation)

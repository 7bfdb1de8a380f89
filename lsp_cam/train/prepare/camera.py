"""Camera: the focal length, searched over the whole clip (section 4.1), and how sure it is.

For each focal length of a grid, head poses and the shape of the head are fitted together, and the error that is left is
noted. A head that turns by a few degrees changes that error by hundredths of a pixel only, less than what landmarks get
wrong in step with the pose; so the error is weighed against an expectation: heads are filmed from about a metre. The
width of the sum of both says how sure the result is.
"""

from dataclasses import dataclass

import numpy as np

from lsp_cam.train.prepare.rigid import (
    Array,
    Lens,
    Poses,
    by_place,
    by_pose,
    first_poses,
    fit_poses,
    moved,
    placed,
    robust,
    seen,
)

DISTANCE_MM = 1000.0
DISTANCE_SPREAD = 0.3  # of the logarithm: two in three heads are filmed from 0.74 to 1.35 m
SHAPE_SPREAD_MM = 3.0  # of a vertex about the mean mesh
NOISE_PX = 3.0  # of a vertex, as if all frames' errors were independent; they are not, hence more than is seen
STEP_PX = 0.12  # errors that go with the pose and do not average out, on a face 160 px wide (seen on rendered footage)
FACE_PX = 160.0
GRID = np.exp(np.linspace(-0.9, 0.9, 13))  # of the expected focal length
MOST_FRAMES = 200
EVERY = 3  # vertices: a third of them tell as much


@dataclass(frozen=True)
class Camera:
    """The lens; the deviation of its focal length's logarithm; the same by the clip alone; the shape (V, 3)."""

    lens: Lens
    deviation: float
    clip_deviation: float
    shape: Array


def find_camera(pixels: Array, shape: Array, centre: Array) -> Camera:
    """The camera of a clip from its vertices (T, V, 2) in pixels and the mean shape (V, 3) in mm."""
    chosen = pixels[np.linspace(0, len(pixels) - 1, min(MOST_FRAMES, len(pixels))).astype(int)]
    away = np.linalg.norm(chosen - chosen.mean(axis=1, keepdims=True), axis=2).mean()
    size = np.linalg.norm((shape - shape.mean(axis=0))[:, :2], axis=1).mean()
    expected = DISTANCE_MM * away / size
    focals = expected * GRID
    few = chosen[:, ::EVERY], shape[::EVERY]
    errors = np.array([_error_left(*few, Lens(float(f), centre)) for f in focals])
    step = STEP_PX * np.ptp(chosen[..., 0], axis=1).mean() / FACE_PX
    logs = np.log(GRID)
    surprise = errors / step**2 + (logs / DISTANCE_SPREAD) ** 2
    best, bend = _lowest(logs, surprise)
    _, own_bend = _lowest(logs, errors / step**2)
    lens = Lens(float(expected * np.exp(best)), centre)
    _, fitted = fit_together(chosen, shape, lens)
    return Camera(lens, bend**-0.5, own_bend**-0.5, fitted)


def _lowest(x: Array, y: Array) -> tuple[float, float]:
    """Where a curve is lowest, and half its second derivative there: the parabola through its lowest samples."""
    k = int(np.clip(y.argmin(), 1, len(y) - 2))
    a, b, _ = np.polyfit(x[k - 1 : k + 2] - x[k], y[k - 1 : k + 2], 2)
    if a <= 1e-9:  # no bend at all: the grid is all there is to go by
        return float(x[y.argmin()]), 1e-9
    return float(np.clip(x[k] - b / (2 * a), x[0], x[-1])), float(a)


def _error_left(pixels: Array, shape: Array, lens: Lens) -> float:
    """Mean squared error in px² of the best poses and shape for a lens."""
    poses, fitted = fit_together(pixels, shape, lens)
    error = pixels - seen(placed(poses, fitted), lens)
    trust = robust(error)
    return float((trust * (error**2).sum(axis=2)).sum() / (2 * trust.sum()))


def fit_together(pixels: Array, mean: Array, lens: Lens, rounds: int = 3) -> tuple[Poses, Array]:
    """Poses of the frames and the shape (V, 3), fitted to pixels (T, V, 2); the shape is held near its mean."""
    weights = np.ones(len(mean))
    poses = fit_poses(pixels, mean, lens, weights, first_poses(pixels, mean, lens))
    shape = mean
    for _ in range(rounds):
        poses, shape = _step(pixels, mean, shape, lens, poses)
    return fit_poses(pixels, shape, lens, weights, poses, rounds=3), shape


def _step(pixels: Array, mean: Array, shape: Array, lens: Lens, poses: Poses) -> tuple[Poses, Array]:
    """One Gauss-Newton step of poses and shape, the poses eliminated (Schur complement)."""
    frames, vertices = pixels.shape[:2]
    camera = placed(poses, shape)
    error = pixels - seen(camera, lens)
    place = by_place(camera, lens)
    pose, point = by_pose(camera, poses, place), np.einsum("tvki,tij->tvkj", place, poses.rotation)
    trust = (robust(error) / NOISE_PX**2)[..., None, None]
    wide = np.einsum("tvki,tvkj->tivj", pose * trust, point).reshape(frames, 6, 3 * vertices)
    own = np.einsum("tvki,tvkj->tij", pose * trust, pose) + 1e-9 * np.eye(6)
    pull = np.einsum("tvki,tvk->ti", pose * trust, error)
    left = np.zeros((vertices, 3, vertices, 3))
    each = np.arange(vertices)
    left[each, :, each] = np.einsum("tvki,tvkj->vij", point * trust, point)
    left[each, :, each] += np.eye(3) / SHAPE_SPREAD_MM**2
    right = np.einsum("tvki,tvk->vi", point * trust, error) - (shape - mean) / SHAPE_SPREAD_MM**2
    solved = np.linalg.solve(own, wide)
    full = left.reshape(3 * vertices, -1) - np.einsum("tin,tim->nm", wide, solved, optimize=True)
    step = np.linalg.solve(full, right.ravel() - np.einsum("tin,ti->n", solved, pull))
    turn = np.linalg.solve(own, (pull - wide @ step)[..., None])[..., 0]
    return moved(poses, turn), shape + step.reshape(-1, 3)

"""Face tracking: per frame the head's pose and the 73 points in its own axes, from the vertices in the picture.

Poses are fitted to the shape of the head (`rigid.fit_poses`) and filtered lightly. Each point is then put where its
line of sight meets the depth that it has by anatomy: that of the mean shape, and on the jaw, which turns about the
ears, the further back the farther down it is. So from the camera the points are exactly where they were seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER, LIPS_OUTER_LOWER
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.filter import parabolic
from lsp_cam.train.prepare.rigid import FACING, Array, Lens, Poses, first_poses, fit_poses, placed, seen
from lsp_cam.train.prepare.vertices import place, points_of
from lsp_cam.train.tracked import angles_of

POSE_FILTER_S = 0.28
REST_SHARE = 0.1  # of the frames: those whose inner lips are least apart are the face at rest
JAW = (*range(4, 11), *LIPS_OUTER_LOWER, *LIPS_INNER_LOWER)
NECK_MM = np.array([0.0, -90.0, -40.0])  # from between the ears to where heads turn about, in the middle of the neck
NECK_SPREAD_MM = 20.0
POSE_NOISE_MM, INDEPENDENT = 4.0, 30  # errors of poses are alike for long: a clip counts as so many frames
_EARS = [place(234), place(454)]


@dataclass(frozen=True)
class TrackedFace:
    """Points (T, 73, 3) and neutral (73, 3) in mm about `centre` (3,) of the shape's axes; angles (T, 3) in degrees and
    translation (T, 3) in mm of the head; `reprojection` (T,): mean error in px of the rigid fit."""

    points: Array
    neutral: Array
    angles: Array
    translation: Array
    centre: Array
    reprojection: Array


def track_face(pixels: Array, shape: Array, lens: Lens, segments: list[Segment], fps: float) -> TrackedFace:
    """Track vertices (T, V, 2) of good frames, segments following one another; `shape` (V, 3) as the camera's fit."""
    weights = np.ones(len(shape))
    poses = fit_poses(pixels, shape, lens, weights, first_poses(pixels, shape, lens))
    poses = filtered(poses, segments, POSE_FILTER_S * fps)
    error = np.linalg.norm(pixels - seen(placed(poses, shape), lens), axis=2).mean(axis=1)
    points = lift(points_of(pixels), points_of(shape), shape[_EARS].mean(axis=0), poses, lens)
    centre = neck(poses, shape[_EARS].mean(axis=0) + NECK_MM)
    moved = poses.translation + poses.rotation @ centre
    return TrackedFace(points - centre, rest(points) - centre, angles_of(poses.rotation), moved, centre, error)


def filtered(poses: Poses, segments: list[Segment], frames: float) -> Poses:
    """Poses after a filter over about `frames` frames, never across a cut."""
    turned = Rotation.from_matrix(poses.rotation @ FACING).as_rotvec()
    six = parabolic(np.concatenate([turned, poses.translation], axis=1), segments, frames)
    return Poses(Rotation.from_rotvec(six[:, :3]).as_matrix() @ FACING, six[:, 3:])


def lift(pixels: Array, mean: Array, ears: Array, poses: Poses, lens: Lens) -> Array:
    """Head-fixed points (T, 73, 3) seen at pixels (T, 73, 2), each on the plane that it may move on about `mean`."""
    sight = np.concatenate([(pixels - lens.centre) / lens.focal, np.ones((*pixels.shape[:2], 1))], axis=2)
    back = np.swapaxes(poses.rotation, 1, 2)
    towards = np.einsum("tij,tpj->tpi", back, sight)
    eye = -np.einsum("tij,tj->ti", back, poses.translation)[:, None]
    tilt = np.zeros(len(mean))
    for point in JAW:  # on a circle about the ears: how much further back for each mm down
        up, front = mean[point, 1] - ears[1], mean[point, 2] - ears[2]
        tilt[point] = -up / front
    # z - mean_z = tilt (y - mean_y), and (x, y, z) = eye + depth · towards
    normal = np.stack([np.zeros_like(tilt), -tilt, np.ones_like(tilt)], axis=1)
    depth = ((mean - eye) * normal).sum(axis=2) / (towards * normal).sum(axis=2)
    return np.asarray(eye + depth[..., None] * towards)


def rest(points: Array) -> Array:
    """The face at rest (73, 3): the median of the frames (T, 73, 3) whose lips are least apart."""
    gaps = lip_gap(points)
    return np.asarray(np.median(points[gaps <= np.quantile(gaps, REST_SHARE)], axis=0))


def lip_gap(points: Array) -> Array:
    """How far (T,) the inner lips of points (T, 73, 3) are apart, the mean of three places."""
    return np.asarray((points[:, LIPS_INNER_UPPER, 1] - points[:, LIPS_INNER_LOWER, 1]).mean(axis=1))


def neck(poses: Poses, expected: Array) -> Array:
    """The point (3,) of the head that moves least, so that turning is not translating; near where necks are."""
    turned = poses.rotation - poses.rotation.mean(axis=0)
    shifted = poses.translation - poses.translation.mean(axis=0)
    # minimise |turned · c + shifted|² over c, held near what is expected
    trust = INDEPENDENT / len(poses) / POSE_NOISE_MM**2
    left = trust * np.einsum("tij,tik->jk", turned, turned) + np.eye(3) / NECK_SPREAD_MM**2
    right = -trust * np.einsum("tij,ti->j", turned, shifted) + expected / NECK_SPREAD_MM**2
    return np.linalg.solve(left, right)


def joined(segments: list[Segment]) -> tuple[NDArray[np.int64], list[Segment]]:
    """Numbers (T',) of the frames of all segments, and where the segments are once these are laid end to end."""
    numbers, found, begin = [], [], 0
    for first, last in segments:
        numbers.append(np.arange(first, last))
        found.append(Segment(begin, begin + last - first))
        begin += last - first
    return np.concatenate(numbers), found

"""Table 2: generated head motion against the tracked one, by the measures of Zhou et al. 2020 (section 5.2).

D-L: distance of landmarks, percent of the face's width. D-V: the same of their velocities, frame to frame at 60 fps.
D-Rot: the angle in degrees between both rotations. D-Pos: distance between both translations, percent of the face's
width. All are means over frames and points. Landmarks are taken in the picture (px), as the paper's own figures ask
for: its D-L is less than half its D-Pos, which it cannot be in space, where a head that is elsewhere takes its
landmarks along. D-L in space stands beside it. A head that is as lively as the true one, but at other moments, scores
worse than one that holds still, so the still head stands there too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lsp_cam.backends.base import Engine
from lsp_cam.packets import Float32
from lsp_cam.stages.head import LiveHead
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate.figures import Array, Row, spread
from lsp_cam.train.evaluate.speaking import Spoken, head_poses
from lsp_cam.train.tracked import Tracked, pinhole, rotation_of

EARS = (0, 14)
"""The ends of the contour, whose distance in the resting face is the face's width."""


def width_of(points: Array) -> float:
    """Width of a face (73, D): mm in space, pixels in the picture."""
    return float(np.linalg.norm(points[EARS[0]] - points[EARS[1]]))


def placed(points: Array, poses: Array) -> Array:
    """Points (T, 73, 3) in the camera's axes under poses (T, 6)."""
    turned = np.einsum("tij,tpj->tpi", rotation_of(poses[:, :3]), points)
    return np.asarray(turned + poses[:, None, 3:])


@dataclass(frozen=True)
class Moving:
    """A clip at 60 fps: faces (T, 73, 3) in the head's axes and their poses (T, 6)."""

    faces: Array
    poses: Array


@dataclass(frozen=True)
class Ruler:
    """What distances are measured by: the resting face (73, 3), its mean pose (6,), the camera (3, 3)."""

    rest_points: Array
    rest_pose: Array
    intrinsics: Array

    def differences(self, ours: Moving, truth: Moving) -> dict[str, float]:
        """D-L (picture and space), D-V, D-Pos in percent, D-Rot in degrees."""
        in_space = placed(ours.faces, ours.poses), placed(truth.faces, truth.poses)
        away = pinhole(in_space[0], self.intrinsics) - pinhole(in_space[1], self.intrinsics)
        rest = pinhole(placed(self.rest_points[None], self.rest_pose[None])[0], self.intrinsics)
        width_px, width_mm = width_of(rest), width_of(self.rest_points)
        return {
            "d_l_percent": 100 / width_px * float(np.linalg.norm(away, axis=-1).mean()),
            "d_v_percent": 100 / width_px * float(np.linalg.norm(np.diff(away, axis=0), axis=-1).mean()),
            "d_rot_deg": float(angles_between(ours.poses[:, :3], truth.poses[:, :3]).mean()),
            "d_pos_percent": 100 / width_mm * float(np.linalg.norm((ours.poses - truth.poses)[:, 3:], axis=-1).mean()),
            "d_l_space_percent": 100 / width_mm * float(np.linalg.norm(in_space[0] - in_space[1], axis=-1).mean()),
        }


def angles_between(ours: Array, truth: Array) -> Array:
    """Degrees (T,) by which one has to turn from rotations `ours` to `truth`, both as angles (T, 3)."""
    between = np.einsum("tji,tjk->tik", rotation_of(ours), rotation_of(truth))
    cosine = (np.trace(between, axis1=1, axis2=2) - 1) / 2
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


class HeadTable:
    """Rows of the table for one held-out clip (at 60 fps) and what the subject said of it."""

    def __init__(self, subject: Subject, engine: Engine, spoken: Spoken, clip: Tracked, seeds: int) -> None:
        self._engine, self._spoken, self._seeds = engine, spoken, seeds
        self._count = min(len(clip.points), len(spoken.faces))
        poses = np.concatenate([clip.angles, clip.translation], axis=1)[: self._count]
        self.truth = Moving(clip.points[: self._count], poses)
        rest = subject.arrays("face.npz", rest_points=(73, 3))["rest_points"].astype(np.float64)
        self._ruler = Ruler(rest, LiveHead.from_subject(subject).rest_pose.astype(np.float64), clip.intrinsics)

    def row(self, name: str, heads: Iterable[Float32]) -> Row:
        """Means over roll-outs of the head (T, 6), each with its deviation from one to another."""
        faces = self._spoken.faces[: self._count].astype(np.float64)
        rollouts = (Moving(faces, poses[: self._count].astype(np.float64)) for poses in heads)
        found = [self._ruler.differences(rollout, self.truth) for rollout in rollouts]
        return {"name": name, **{key: spread([one[key] for one in found]) for key in found[0]}}

    def generated(self, name: str, subject: Subject) -> Row:
        """The head of `subject` for the same speech, over as many seeds as asked."""
        projected = self._spoken.projected
        return self.row(name, (head_poses(subject, self._engine, projected, seed) for seed in range(self._seeds)))

    def without_chance(self, name: str, subject: Subject) -> Row:
        """Always the likeliest next pose."""
        return self.row(name, [head_poses(subject, self._engine, self._spoken.projected, 0, sigma=0.0)])

    def still(self, name: str) -> Row:
        """A head that holds the subject's mean pose."""
        return self.row(name, [np.repeat(self._ruler.rest_pose[None].astype(np.float32), self._count, axis=0)])

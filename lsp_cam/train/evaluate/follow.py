"""Landmarks of held-out pictures to a tracked clip of a known subject: its face and its camera are held fixed.

Creation finds a person's shape and camera from minutes of footage; here both are known, so that only poses and points
are left to be found, in creation's own way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import BundleError
from lsp_cam.stages.head import LiveHead
from lsp_cam.stages.landmarks import SHOULDER_POINTS
from lsp_cam.stages.project import ProjectConfig
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate.figures import Array
from lsp_cam.train.landmarks import BROW_LEFT, BROW_RIGHT, CONTOUR, NOSE, NOSE_TIP
from lsp_cam.train.prepare import shoulders
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.face import POSE_FILTER_S, filtered, lift
from lsp_cam.train.prepare.rigid import Lens, Poses, fit_poses, placed, seen
from lsp_cam.train.tracked import Tracked, angles_of, rotation_of

EARS = (CONTOUR[0], CONTOUR[-1])
EYE_CORNERS = (27, 29, 31, 33)
RIGID = (*CONTOUR[:3], *CONTOUR[-3:], *EYE_CORNERS, *NOSE, NOSE_TIP)
"""No expression moves them much."""
BROW_WEIGHT = 0.2
OFFSET_PX = 1.0
ROUNDS = 3


@dataclass(frozen=True)
class Body:
    """A picture (S, S, 3) of a subject, and where its shoulders (18, 2) are in it, in pixels."""

    picture: NDArray[np.uint8]
    points: Array


@dataclass(frozen=True)
class Known:
    """What a bundle tells of its person: the resting face and the neutral one (73, 3), the camera (3, 3), the mean head
    pose (6,), shoulders (18, 3) as they are at head translation `shoulders_at` (3,), and how they follow it; what it
    takes to find the body itself, where the bundle says it."""

    rest: Array
    neutral: Array
    intrinsics: Array
    pose: Array
    shoulders: Array
    shoulders_at: Array
    share: float
    body: Body | None = None

    @property
    def lens(self) -> Lens:
        """The camera as the tracker has it."""
        return Lens(float(self.intrinsics[0, 0]), self.intrinsics[:2, 2])


@dataclass(frozen=True)
class Followed:
    """The tracked clip; how far (px) rigid landmarks are, on average over the clip, from where the subject has them;
    whether such constant offsets were taken away, because the subject's landmarks are not this tracker's."""

    clip: Tracked
    offset_px: float
    offset_removed: bool


def known(subject: Subject) -> Known:
    """Read it from the bundle."""
    face = subject.arrays("face.npz", rest_points=(73, 3), mean_points=(73, 3))
    camera = subject.arrays("camera.npz", intrinsics=(3, 3), shoulders=(18, 3), shoulders_translation=(3,))
    return Known(
        face["rest_points"].astype(np.float64),
        face["mean_points"].astype(np.float64),
        camera["intrinsics"].astype(np.float64),
        LiveHead.from_subject(subject).rest_pose.astype(np.float64),
        camera["shoulders"].astype(np.float64),
        camera["shoulders_translation"].astype(np.float64),
        subject.config("project", ProjectConfig).shoulder_amplify,
        _body(subject),
    )


def _body(subject: Subject) -> Body | None:
    if not (subject.has("body.npz") and subject.has("preview.jpg")):
        return None
    points = subject.arrays("body.npz", shoulders=(SHOULDER_POINTS, 2))["shoulders"]
    picture = cv2.imdecode(np.frombuffer(subject.read("preview.jpg"), np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise BundleError(f"preview.jpg of {subject.name} cannot be read. Install the bundle again.")
    return Body(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8), points.astype(np.float64))


def with_body(clip: Tracked, frames: NDArray[np.uint8], segments: list[Segment], subject: Known, body: Body) -> Tracked:
    """The clip with its shoulders where they are in the pictures (T, S, S, 3), cropped as the subject's preview is."""
    moves = shoulders.follow(frames, np.arange(len(frames)), body.picture, body.points)
    depth_mm = float(subject.shoulders[:, 2].mean())
    board = shoulders.billboard(body.points, moves, depth_mm, subject.lens, segments, clip.fps)
    return replace(clip, shoulders=board)


def follow(landmarks: Array, segments: list[Segment], fps: float, subject: Known) -> Followed:
    """A tracked clip of landmarks (T, 73, 2) in the subject's picture; `segments` lie between cuts."""
    poses = head_poses(landmarks, segments, fps, subject)
    away = (landmarks - seen(placed(poses, subject.rest), subject.lens)).mean(axis=0)
    offset_px = float(np.linalg.norm(away[list(RIGID)], axis=1).mean())
    removed = offset_px > OFFSET_PX
    if removed:
        for _ in range(ROUNDS):  # where the head is, and what is constant, depend on each other
            landmarks = landmarks - away
            poses = head_poses(landmarks, segments, fps, subject)
            away = (landmarks - seen(placed(poses, subject.rest), subject.lens)).mean(axis=0)
        landmarks = landmarks - away
    points = lift(landmarks, subject.rest, subject.rest[list(EARS)].mean(axis=0), poses, subject.lens)
    moved = subject.share * (poses.translation - subject.shoulders_at)[:, None]
    clip = Tracked(
        fps, points, subject.neutral, angles_of(poses.rotation), poses.translation, subject.shoulders + moved,
        subject.intrinsics, np.zeros(3),
    )  # fmt: skip
    return Followed(clip, round(offset_px, 3), removed)


def head_poses(landmarks: Array, segments: list[Segment], fps: float, subject: Known) -> Poses:
    """Poses that bring the resting face to landmarks (T, 73, 2), filtered as creation filters them."""
    count = len(landmarks)
    start = Poses(
        np.repeat(rotation_of(subject.pose[None, :3]), count, axis=0), np.repeat(subject.pose[None, 3:], count, axis=0)
    )
    weights = np.zeros(len(subject.rest))
    weights[[*BROW_RIGHT, *BROW_LEFT]], weights[list(RIGID)] = BROW_WEIGHT, 1.0
    used = np.flatnonzero(weights)  # others would tell of themselves how far errors usually are
    found = fit_poses(landmarks[:, used], subject.rest[used], subject.lens, weights[used], start)
    return filtered(found, segments, POSE_FILTER_S * fps)

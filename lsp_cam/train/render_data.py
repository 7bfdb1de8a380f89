"""What a renderer is trained on: maps, pictures, and weights that say where one looks."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsp_cam.errors import UsageError
from lsp_cam.stages.featuremap import draw_map
from lsp_cam.stages.landmarks import LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER
from lsp_cam.train.landmarks import BROW_LEFT, BROW_RIGHT, CONTOUR, EYE_LEFT, EYE_RIGHT, PUPILS, STEADY
from lsp_cam.train.maps import drawn_points, tracked_shoulders
from lsp_cam.train.quality import box_around
from lsp_cam.train.tracked import Array, Tracked

SHUT, OPEN = 0.15, 0.7  # of the usual distance of the lids


@dataclass(frozen=True)
class Footage:
    """A clip with its pictures (T, S, S, 3), the drawn points (T, 73, 2) and the shoulders (T, 18, 2) in pixels.

    `fixed` (T, P, 2) are points that move with the head and nothing else; `clip` is where all this comes from.
    `upper_body`: whether shoulders are drawn into the maps.
    """

    clip: Tracked
    frames: NDArray[np.uint8]
    points: Array
    shoulders: Array
    fixed: Array
    still: int
    upper_body: bool = True

    @property
    def side(self) -> int:
        """Width and height of the pictures."""
        return int(self.frames.shape[1])

    def feature_map(self, index: int, rng: np.random.Generator | None = None, jitter: float = 0.35 / 512) -> Tensor:
        """Map (1, S, S) in 0..1; with `rng`, points are moved a little (`jitter` of S), as generated ones are."""
        points, shoulders = self.points[index], self.shoulders[index]
        if rng is not None and rng.random() < 0.7:
            jitter_px = jitter * self.side
            points = points + rng.normal(0, jitter_px, points.shape).clip(-2 * jitter_px, 2 * jitter_px)
            shoulders = shoulders + rng.normal(0, jitter_px, shoulders.shape).clip(-2 * jitter_px, 2 * jitter_px)
        return self.drawn(points, shoulders)

    def drawn(self, points: Array, shoulders: Array) -> Tensor:
        """Map (1, S, S) in 0..1 of points (73, 2) and shoulders (18, 2) in pixels."""
        if not self.upper_body:
            shoulders = np.full_like(shoulders, -self.side)
        drawn = draw_map(points.astype(np.float32), shoulders.astype(np.float32), self.side)
        return torch.from_numpy(drawn)[None].float() / 255

    def picture(self, index: int) -> Tensor:
        """Picture (3, S, S) in 0..1."""
        return torch.from_numpy(self.frames[index].transpose(2, 0, 1).copy()).float() / 255

    def weights(self, index: int) -> Tensor:
        """Loss weights (1, S, S): 1, more in the face, most at mouth and eyes, where one looks."""
        weights = np.ones((self.side, self.side), np.float32)
        points = self.points[index]
        weights[box_around(points[list(CONTOUR)], 0.15, self.side)] = 2
        for part, margin, weight in ((LIPS, 0.3, 8), (EYE_RIGHT, 0.4, 6), (EYE_LEFT, 0.4, 6)):
            weights[box_around(points[list(part)], margin, self.side)] = weight
        return torch.from_numpy(weights)[None]

    def mouth(self, index: int) -> Tensor:
        """1 around the mouth and 0 elsewhere (1, S, S)."""
        inside = torch.zeros(1, self.side, self.side)
        rows, columns = box_around(self.points[index, list(LIPS)], 0.3, self.side)
        inside[:, rows, columns] = 1
        return inside

    def lids(self, index: int) -> Tensor:
        """1 where lids are to show and 0 where open eyes are, in a box around each; -1 elsewhere (1, S, S)."""
        wanted = np.full((self.side, self.side), -1, np.float32)
        for eye, gaps in ((EYE_RIGHT, self.gaps[:, 0]), (EYE_LEFT, self.gaps[:, 1])):
            least, usual = np.percentile(gaps, 1), np.median(gaps)
            share, ring = (gaps[index] - least) / max(usual - least, 1e-6), self.points[index, list(eye)]
            wanted[box_around(ring, 0.15, self.side)] = float(share < OPEN)
            if SHUT < share < OPEN:
                cv2.fillPoly(wanted, [np.round(ring).astype(np.int32)], 0.0)
        return torch.from_numpy(wanted)[None]

    @cached_property
    def gaps(self) -> Array:
        """Distances (T, 2) of the lids of the right and the left eye."""
        upper, lower = self.clip.points[:, [28, 32], 1], self.clip.points[:, [30, 34], 1]
        return np.asarray(upper - lower)

    def chances(self, last: int) -> Array:
        """Probabilities (last,) of drawing each frame: ten times as often in a blink, twice with a wide mouth."""
        eyes, mouth = openness(self.clip.points[:last])
        chances = 1.0 + 9.0 * shut_eyes(eyes) + 1.0 * (mouth > np.percentile(mouth, 85))
        return np.asarray(chances / chances.sum())

    def anchors(self, index: int) -> Tensor:
        """Head-fixed points and shoulders (P, 2) in pixel-centre coordinates."""
        return torch.from_numpy(np.concatenate([self.fixed[index], self.shoulders[index]]) - 0.5).float()


def open_footage(clip: Tracked, frames: NDArray[np.uint8], *, upper_body: bool = True) -> Footage:
    """Join a tracked clip with its pictures (T, S, S, 3), square, S a multiple of 64; UsageError if they do not fit."""
    if frames.shape[1] != frames.shape[2] or frames.shape[1] % 64 or len(frames) != len(clip.points):
        raise UsageError(
            f"{len(frames)} pictures of {frames.shape[2]}x{frames.shape[1]} do not fit {len(clip.points)} tracked "
            "frames, or are not square with a side that is a multiple of 64. Track and crop the video again."
        )
    fixed = clip.project(np.repeat(head_fixed(clip)[None], len(clip.points), axis=0))
    shoulders = tracked_shoulders(clip)
    return Footage(clip, frames, clip.project(drawn_points(clip)), shoulders, fixed, _stillest(clip), upper_body)


def head_fixed(clip: Tracked) -> Array:
    """Points (P, 3) that move with the head: steady ones of the face, and a rough dome of hair above it."""
    mean = clip.points.mean(axis=0)
    face, brows = mean[list(CONTOUR)], mean[[*BROW_RIGHT, *BROW_LEFT]].mean(axis=0)
    ears, chin = (face[0] + face[-1]) / 2, face[:, 1].min()
    half_width = 0.56 * float(np.ptp(face[:, 0]))
    height = 1.75 * float(brows[1] - chin) / 2
    dome = []
    for up in np.radians([15, 45, 70]):
        for side in np.radians([-90, -60, -30, 0, 30, 60, 90]):
            out = np.array([half_width * np.sin(side), 0, (brows[2] - ears[2]) * np.cos(side)]) * np.cos(up)
            dome.append(np.array([ears[0], chin + height, ears[2]]) + out + np.array([0, height * np.sin(up), 0]))
    return np.concatenate([mean[list(STEADY)], np.array(dome)])


def _stillest(clip: Tracked) -> int:
    """The frame nearest to the mean pose among those with open eyes and a closed mouth."""
    pose = np.concatenate([clip.angles, clip.translation], axis=1)
    away = np.linalg.norm((pose - pose.mean(axis=0)) / pose.std(axis=0), axis=1)
    eyes, _ = openness(clip.points)
    sides = ((PUPILS[0], EYE_RIGHT), (PUPILS[1], EYE_LEFT))
    gaze = np.mean([clip.points[:, p, :2] - clip.points[:, list(ring), :2].mean(axis=1) for p, ring in sides], axis=0)
    away = away + np.linalg.norm(gaze - np.median(gaze, axis=0), axis=1)
    gaps = clip.points[:, LIPS_INNER_UPPER, 1] - clip.points[:, LIPS_INNER_LOWER, 1]
    away = away + 2.0 * np.abs(gaps).mean(axis=1) + 10.0 * (eyes < np.percentile(eyes, 30))
    return int(away.argmin())


def shut_eyes(eyes: Array) -> NDArray[np.bool_]:
    """Which (T,) of the lids' distances are those of a blink."""
    return np.asarray(eyes <= (np.percentile(eyes, 1) + np.median(eyes)) / 2)


def openness(points: Array) -> tuple[Array, Array]:
    """How far (T,) eyelids and lips are apart in points (T, 73, 3); pressed lips count as less than nothing."""
    eyes = points[:, [28, 32], 1].mean(axis=1) - points[:, [30, 34], 1].mean(axis=1)
    lips = points[:, LIPS_INNER_UPPER, 1].mean(axis=1) - points[:, LIPS_INNER_LOWER, 1].mean(axis=1)
    return eyes, lips

"""What the lite renderer is trained on: maps, pictures, weights; and the still picture that training begins from."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsp_cam.stages.featuremap import draw_map
from lsp_cam.stages.landmarks import LIPS, LIPS_INNER_LOWER, LIPS_INNER_UPPER
from lsp_cam.train.landmarks import BROW_LEFT, BROW_RIGHT, CONTOUR, EYE_LEFT, EYE_RIGHT, STEADY
from lsp_cam.train.maps import drawn_points, followed_shoulders
from lsp_cam.train.quality import box_around
from lsp_cam.train.tracked import Array, Tracked


@dataclass(frozen=True)
class Footage:
    """A clip with its pictures (T, S, S, 3), the drawn points (T, 73, 2) and the shoulders (T, 18, 2) in pixels.

    `fixed` (T, P, 2) are points that move with the head and nothing else; `clip` is where all this comes from.
    """

    clip: Tracked
    frames: NDArray[np.uint8]
    points: Array
    shoulders: Array
    fixed: Array
    still: int

    @property
    def side(self) -> int:
        """Width and height of the pictures."""
        return int(self.frames.shape[1])

    def feature_map(self, index: int, rng: np.random.Generator | None = None, jitter_px: float = 0.35) -> Tensor:
        """Map (1, S, S) in 0..1; with `rng`, points are moved a little, as generated ones are never exact."""
        points, shoulders = self.points[index], self.shoulders[index]
        if rng is not None and rng.random() < 0.7:
            points = points + rng.normal(0, jitter_px, points.shape).clip(-0.7, 0.7)
            shoulders = shoulders + rng.normal(0, jitter_px, shoulders.shape).clip(-0.7, 0.7)
        return map_tensor(points, shoulders, self.side)

    def picture(self, index: int) -> Tensor:
        """Picture (3, S, S) in 0..1."""
        return torch.from_numpy(self.frames[index].transpose(2, 0, 1).copy()).float() / 255

    def weights(self, index: int) -> Tensor:
        """Loss weights (1, S, S): 1, more in the face, most at mouth and eyes, where one looks."""
        weights = np.ones((self.side, self.side), np.float32)
        points = self.points[index]
        weights[box_around(points[list(CONTOUR)], 0.15, self.side)] = 2
        for part, margin, weight in ((LIPS, 0.3, 8), (EYE_RIGHT, 0.4, 12), (EYE_LEFT, 0.4, 12)):
            weights[box_around(points[list(part)], margin, self.side)] = weight
        return torch.from_numpy(weights)[None]

    def chances(self, last: int) -> Array:
        """Probabilities (last,) of drawing each frame: ten times as often in a blink, twice with a wide mouth."""
        eyes, mouth = _openness(self.clip.points[:last])
        shut = eyes < (np.percentile(eyes, 1) + np.median(eyes)) / 2
        chances = 1.0 + 9.0 * shut + 1.0 * (mouth > np.percentile(mouth, 85))
        return np.asarray(chances / chances.sum())

    def anchors(self, index: int) -> Tensor:
        """Head-fixed points and shoulders (P, 2) in pixel-centre coordinates."""
        return torch.from_numpy(np.concatenate([self.fixed[index], self.shoulders[index]]) - 0.5).float()


def map_tensor(points: Array, shoulders: Array, side: int) -> Tensor:
    """Map (1, side, side) in 0..1 of points (73, 2) and shoulders (18, 2) in pixels."""
    drawn = draw_map(points.astype(np.float32), shoulders.astype(np.float32), side)
    return torch.from_numpy(drawn)[None].float() / 255


def open_footage(clip: Tracked, frames: NDArray[np.uint8]) -> Footage:
    """Join a tracked clip with its pictures."""
    fixed = clip.project(np.repeat(head_fixed(clip)[None], len(clip.points), axis=0))
    shoulders = followed_shoulders(clip)
    return Footage(clip, frames, clip.project(drawn_points(clip)), shoulders, fixed, _stillest(clip))


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
    eyes, _ = _openness(clip.points)
    gaps = clip.points[:, LIPS_INNER_UPPER, 1] - clip.points[:, LIPS_INNER_LOWER, 1]
    away = away + 2.0 * np.abs(gaps).mean(axis=1) + 10.0 * (eyes < np.percentile(eyes, 30))
    return int(away.argmin())


def _openness(points: Array) -> tuple[Array, Array]:
    """How far (T,) eyelids and lips are apart in points (T, 73, 3); pressed lips count as less than nothing."""
    eyes = points[:, [28, 32], 1].mean(axis=1) - points[:, [30, 34], 1].mean(axis=1)
    lips = points[:, LIPS_INNER_UPPER, 1].mean(axis=1) - points[:, LIPS_INNER_LOWER, 1].mean(axis=1)
    return eyes, lips


def first_texture(footage: Footage) -> tuple[Tensor, Tensor]:
    """Texture (4, S, S) and background (3, S, S), 0..1: the stillest frame cut out, and the median of all frames."""
    still = np.ascontiguousarray(footage.frames[footage.still])
    middle = np.median(footage.frames[:: max(1, len(footage.frames) // 60)], axis=0).astype(np.float32)
    opacity = cv2.GaussianBlur(_person(footage, still).astype(np.float32), (0, 0), 2.0) * 0.96 + 0.02
    texture = np.concatenate([still.transpose(2, 0, 1) / 255.0, opacity[None]])
    return torch.from_numpy(texture).float(), torch.from_numpy(middle.transpose(2, 0, 1) / 255.0).float()


def _person(footage: Footage, still: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask (S, S) of 0 and 1: where the person is in the still frame (grabCut from head, neck and shoulders)."""
    points, shoulders = footage.points[footage.still], footage.shoulders[footage.still]
    face = points[list(CONTOUR)]
    width, chin = float(np.ptp(face[:, 0])), float(face[:, 1].max())
    brow = float(points[[*BROW_RIGHT, *BROW_LEFT], 1].mean())
    top = brow - 0.75 * (chin - brow)  # hair reaches about three quarters of the face's height above the brows
    centre = (int(face[:, 0].mean()), int((top + chin) / 2))
    mask = np.full(still.shape[:2], cv2.GC_PR_BGD, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.concatenate([face, shoulders]).astype(int)), cv2.GC_PR_FGD)
    mask[int(shoulders[:, 1].max()) :] = cv2.GC_PR_FGD
    cv2.ellipse(mask, centre, (int(0.55 * width), int((chin - top) / 2)), 0, 0, 360, cv2.GC_FGD, -1)
    mask[: max(0, int(top - 0.1 * width))] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    picture = cv2.cvtColor(still, cv2.COLOR_RGB2BGR)
    cv2.grabCut(picture, mask, None, *models, 4, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)), np.uint8)

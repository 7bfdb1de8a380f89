"""The feature map: lines of face and shoulders, 2 pixels wide, not anti-aliased (section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import cv2
import numpy as np

from ..packets import FeatureMap, Float32, LandmarkFrame
from ..subject import Subject
from .landmarks import LINES, POINTS, SHOULDER_LINES
from .render import RenderConfig

INK = 255
WIDTH_PX = 2
FARTHEST_PX = 1 << 14  # keeps OpenCV's fixed-point coordinates far from overflowing


# All lines' ends one after the other, as rows of points and shoulders together, and where each line is in that.
_LINES = (*LINES, *(tuple(POINTS + p for p in line) for line in SHOULDER_LINES))
_ENDS = np.concatenate(_LINES)
_SLICES = [slice(stop - len(line), stop) for line, stop in zip(_LINES, accumulate(map(len, _LINES)), strict=True)]


@dataclass(frozen=True)
class FeatureMapConfig:
    """Side of the square map in pixels."""

    size: int = 512


class FeatureMapStage:
    """LandmarkFrame -> FeatureMap; keeps nothing."""

    def __init__(self, config: FeatureMapConfig) -> None:
        self.config = config

    @classmethod
    def from_subject(cls, subject: Subject) -> FeatureMapStage:
        """The map has the size of the renderer's pictures."""
        return cls(FeatureMapConfig(subject.config("render", RenderConfig).size))

    def start(self) -> None:
        return None

    def step(self, x: LandmarkFrame, state: None) -> tuple[list[FeatureMap], None]:
        return [self.draw(x)], None

    def flush(self, state: None) -> tuple[list[FeatureMap], None]:
        return [], None

    def draw(self, x: LandmarkFrame) -> FeatureMap:
        """The map of a frame."""
        return FeatureMap(x.frame, draw_map(x.points, x.shoulders, self.config.size))


def draw_map(points: Float32, shoulders: Float32, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Map (size, size) uint8, 0 or 255, of points (73, 2) and shoulders (18, 2) in pixels, truncated to whole ones."""
    picture = np.zeros((size, size), np.uint8)
    pixels = np.concatenate([points, shoulders])
    near = np.fmin(np.fmax(pixels, np.float32(-FARTHEST_PX)), np.float32(FARTHEST_PX))  # NaN goes too
    ends = near.astype(np.int32)[_ENDS]
    cv2.polylines(picture, [ends[line] for line in _SLICES], False, INK, WIDTH_PX, cv2.LINE_8)
    return picture

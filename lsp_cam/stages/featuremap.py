"""The feature map: lines of face and shoulders, 2 pixels wide, not anti-aliased (section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..packets import FeatureMap, Float32, LandmarkFrame
from ..subject import Subject
from .landmarks import LINES, SHOULDER_LINES
from .render import RenderConfig

INK = 255
WIDTH_PX = 2
FARTHEST_PX = 1 << 14  # keeps OpenCV's fixed-point coordinates far from overflowing


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
    face, body = (np.clip(np.nan_to_num(p), -FARTHEST_PX, FARTHEST_PX).astype(np.int32) for p in (points, shoulders))
    lines = [face[list(line)] for line in LINES] + [body[list(line)] for line in SHOULDER_LINES]
    cv2.polylines(picture, lines, False, INK, WIDTH_PX, cv2.LINE_8)
    return picture

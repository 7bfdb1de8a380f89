"""Small made-up material: a face that holds still, phones, a clip."""

from __future__ import annotations

from typing import Any

import numpy as np

from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER
from lsp_cam.train.tracked import Tracked


def face(gap_mm: float = 0.0) -> Any:
    """A face (73, 3), 140 mm wide from ear to ear, its inner lips `gap_mm` apart."""
    points = np.random.default_rng(0).uniform(-50, 50, (73, 3))
    points[0], points[14] = (-70, 0, 0), (70, 0, 0)
    points[list(LIPS_INNER_UPPER), 1], points[list(LIPS_INNER_LOWER), 1] = gap_mm, 0
    return points


def clip(frames: int = 60, fps: float = 60.0) -> Tracked:
    """That face, still, a metre away, looking at a camera of 512 pixels."""
    still = np.repeat(face()[None], frames, axis=0)
    angles = np.tile([180.0, 0.0, 0.0], (frames, 1))
    away = np.tile([0.0, 0.0, 1000.0], (frames, 1))
    camera = np.array([[1000.0, 0, 256], [0, 1000, 256], [0, 0, 1]])
    shoulders = np.tile([0.0, 150.0, 1000.0], (frames, 18, 1))
    return Tracked(fps, still, face(), angles, away, shoulders, camera, np.zeros(3))

"""Feature maps of a tracked clip, drawn as the running program draws them (section 3.4)."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.train.landmarks import EYES_AND_BROWS, LINES, LIPS, SHOULDER_LINES
from lsp_cam.train.synthetic import Array, Tracked, pinhole


def drawn_points(clip: Tracked) -> Array:
    """Head-fixed points (T, 73, 3) as they are drawn: eyes, brows and lips as tracked, all the rest at its mean.

    The running program knows no more than that (its jaw does not move), so the renderer must not see more.
    """
    points = np.repeat(clip.points.mean(axis=0, keepdims=True), len(clip.points), axis=0)
    moving = [*EYES_AND_BROWS, *LIPS]
    points[:, moving] = clip.points[:, moving]
    return points


def followed_shoulders(clip: Tracked, share: float = 0.5) -> Array:
    """Shoulders (T, 18, 2) in pixels as the running program moves them: frame 0's, following the head's translation."""
    moved = clip.shoulders[:1] + share * (clip.translation - clip.translation[:1])[:, None]
    return pinhole(moved, clip.intrinsics)


def draw_map(points: NDArray[np.floating], shoulders: NDArray[np.floating], side: int = 512) -> NDArray[np.uint8]:
    """Map (side, side) of 0 and 255 from points (73, 2) and shoulders (18, 2) in pixels."""
    picture = np.zeros((side, side), np.uint8)
    for lines, pixels in ((LINES, points), (SHOULDER_LINES, shoulders)):
        whole = np.trunc(pixels).astype(np.int32)
        for line in lines:
            for a, b in zip(line[:-1], line[1:], strict=True):
                cv2.line(picture, whole[a].tolist(), whole[b].tolist(), 255, 2)
    return picture


def save_preview(path: Path, frame: NDArray[np.uint8]) -> None:
    """Write an RGB frame as a picture file."""
    cv2.imwrite(str(path), cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

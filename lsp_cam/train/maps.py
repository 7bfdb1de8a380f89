"""Points of a tracked clip as the running program draws them, so that the renderer learns from the maps it will see."""

import numpy as np

from lsp_cam.stages.landmarks import LIPS
from lsp_cam.stages.shape import part_lips
from lsp_cam.train.landmarks import EYES_AND_BROWS
from lsp_cam.train.tracked import Array, Tracked, pinhole

SHOULDER_SHARE = 0.5  # of the head's translation (section 3.3)


def drawn_points(clip: Tracked) -> Array:
    """Head-fixed points (T, 73, 3) as they are drawn: eyes, brows and lips as tracked, all the rest at its mean.

    The running program knows no more than that (its jaw does not move), so the renderer must not see more. Pressed
    lips, which cross in the tracked points, are parted as it parts them.
    """
    points = np.repeat(clip.points.mean(axis=0, keepdims=True), len(clip.points), axis=0)
    moving = [*EYES_AND_BROWS, *LIPS]
    points[:, moving] = clip.points[:, moving]
    part_lips(points, alike=False)
    return points


def followed_shoulders(clip: Tracked) -> Array:
    """Shoulders (T, 18, 2) in pixels: frame 0's billboard, following the head's translation."""
    moved = clip.shoulders[:1] + SHOULDER_SHARE * (clip.translation - clip.translation[:1])[:, None]
    return pinhole(moved, clip.intrinsics)

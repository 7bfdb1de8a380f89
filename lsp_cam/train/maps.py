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


def following_shoulders(clip: Tracked, translation: Array) -> Array:
    """Shoulders (T, 18, 3) in the camera as the running program moves them: the clip's mean billboard, following the
    head's translation (T, 3)."""
    moved = SHOULDER_SHARE * (translation - clip.translation.mean(axis=0))
    return np.asarray(clip.shoulders.mean(axis=0) + moved[:, None])


def body_apart(clip: Tracked) -> Array:
    """How far (T, 2) in mm, right and down, the tracked shoulders are from where they would follow the head to."""
    apart = clip.shoulders - following_shoulders(clip, clip.translation)
    return np.asarray(apart[..., :2].mean(axis=1))


def tracked_shoulders(clip: Tracked) -> Array:
    """Shoulders (T, 18, 2) in pixels as tracked: people also sit elsewhere with their heads where they were, and a
    renderer that is not told so learns a blur."""
    return pinhole(clip.shoulders, clip.intrinsics)

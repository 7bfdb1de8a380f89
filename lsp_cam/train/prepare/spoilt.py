"""Pictures that are spoilt: a hand before the mouth, a damaged frame; unlike the other pictures of the same face.

The face is laid upright by eyes and nose, which tell nothing of the mouth, and each small picture of what is below them
is compared with what the main components of all such pictures make of it.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.train.prepare.mesh import Array
from lsp_cam.train.prepare.vertices import place

PATCH = 32
_ANCHORS = [place(v) for v in (33, 133, 362, 263, 168, 4)]  # eye corners, the nose's bridge and tip
_TO = np.array([(3, -3), (12, -3), (20, -3), (29, -3), (16, -3), (16, 8)], float)  # in the patch: eyes above it
_EDGE = (cv2.BORDER_REPLICATE,)
COMPONENTS = 20
ROUNDS = 3
UNLIKE = 7.0  # standard deviations beyond the median
LEAST = 8.0  # grey levels: what lips, teeth and the light make of a face is less
NEXT_TO = 1  # frames beside a spoilt one go too


def face_patches(frames: NDArray[np.uint8], seen: Array) -> Array:
    """Small upright pictures (T, PATCH²) of the face, nose to chin; NaN where no face was seen."""
    patches = np.full((len(frames), PATCH * PATCH), np.nan, np.float32)
    for k in np.flatnonzero(np.isfinite(seen[:, 0, 0])):
        grey = cv2.cvtColor(np.asarray(frames[k]), cv2.COLOR_RGB2GRAY)
        patch = cv2.warpAffine(grey, _onto(seen[k, _ANCHORS, :2]), (PATCH, PATCH), None, cv2.INTER_LINEAR, *_EDGE)
        patches[k] = cv2.GaussianBlur(patch, (0, 0), 1.0).ravel()
    return patches.astype(np.float64)


def _onto(anchors: Array) -> Array:
    """The turn, size and shift (2, 3) that bring anchors (6, 2) nearest to their places in the patch."""
    mean, goal = anchors.mean(axis=0), _TO.mean(axis=0)
    given, wanted = (anchors - mean) @ (1, 1j), (_TO - goal) @ (1, 1j)
    turn = np.vdot(given, wanted) / np.vdot(given, given).real
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.column_stack([linear, goal - linear @ mean])


def find_spoilt(patches: Array) -> NDArray[np.bool_]:
    """Which patches (T, P) are unlike the rest; where there is no patch: True."""
    there = np.isfinite(patches[:, 0])
    spoilt = ~there
    if there.sum() < 4 * COMPONENTS:
        return spoilt
    away = unlikeness(patches[there])
    middle = np.median(away)
    spread = 1.4826 * np.median(np.abs(away - middle))
    found = np.flatnonzero(there)[away > max(LEAST, middle + UNLIKE * spread)]
    for beside in range(-NEXT_TO, NEXT_TO + 1):
        spoilt[np.clip(found + beside, 0, len(spoilt) - 1)] = True
    return spoilt


def unlikeness(patches: Array) -> Array:
    """Grey levels (T,) by which each patch differs from what the main components of the ordinary ones make of it."""
    away = np.abs(patches - np.median(patches, axis=0)).mean(axis=1)
    for _ in range(ROUNDS):
        plain = patches[away <= np.percentile(away, 90)]
        mean = plain.mean(axis=0)
        _, _, main = np.linalg.svd(plain[:: max(1, len(plain) // 600)] - mean, full_matrices=False)
        centred, main = patches - mean, main[:COMPONENTS]
        away = np.sqrt(((centred - centred @ main.T @ main) ** 2).mean(axis=1))
    return np.asarray(away)

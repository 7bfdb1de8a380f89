"""Vertices of mediapipe's face mesh: those that are kept, their mirror twins, and the 73 points among them."""

import numpy as np
from numpy.typing import NDArray

from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER, POINTS
from lsp_cam.train.landmarks import (
    BROW_LEFT,
    BROW_RIGHT,
    CONTOUR,
    EYE_LEFT,
    EYE_RIGHT,
    LIPS_OUTER,
    NOSE,
    NOSE_TIP,
    PUPILS,
)

# Twins stand at the same place of the two lists: the person's right side, and the left one. First what is drawn, then
# what only tells how the head is turned.
RIGHT = (
    33, 37, 39, 46, 52, 53, 55, 58, 59, 61, 63, 65, 66, 70, 81, 84, 93, 105, 107, 127, 132, 133, 144, 145, 150, 153,
    158, 159, 160, 172, 176, 178, 181, 238, 468,
    3, 28, 32, 34, 50, 69, 101, 104, 108, 109, 111, 118, 119, 123, 124, 125, 126, 137, 139, 154, 162, 165, 167, 169,
    170, 177, 188, 193, 202, 203, 205, 219, 220, 224, 227, 230, 234, 244,
)  # fmt: skip
LEFT = (
    263, 267, 269, 276, 282, 283, 285, 288, 289, 291, 293, 295, 296, 300, 311, 314, 323, 334, 336, 356, 361, 362, 373,
    374, 379, 380, 385, 386, 387, 397, 400, 402, 405, 458, 473,
    248, 258, 262, 264, 280, 299, 330, 333, 337, 338, 340, 347, 348, 352, 353, 354, 355, 366, 368, 381, 389, 391, 393,
    394, 395, 401, 412, 417, 422, 423, 425, 439, 440, 444, 447, 450, 454, 464,
)  # fmt: skip
MIDDLE = (0, 4, 5, 9, 10, 13, 14, 17, 19, 94, 151, 152, 164, 168, 195, 197)
KEPT = (*RIGHT, *LEFT, *MIDDLE)
"""Numbers, in the mesh, of the vertices that are kept; everything else counts in the order of this list."""
TWIN = np.array([KEPT.index(v) for v in (*LEFT, *RIGHT, *MIDDLE)])
"""For each kept vertex the place of its mirror twin; those in the middle are their own."""

# For each of the 73 points the vertices whose mean it is: a brow is drawn as one line, the mesh has its two edges.
_CONTOUR = (127, 93, 132, 58, 172, 150, 176, 152, 400, 379, 397, 288, 361, 323, 356)
_BROW_RIGHT = ((46, 70), (53, 63), (52, 105), (65, 66), (65, 66, 55, 107), (55, 107))
_BROW_LEFT = ((285, 336), (285, 336, 295, 296), (295, 296), (282, 334), (283, 293), (276, 300))
_EYE_RIGHT = (33, 160, 159, 158, 133, 153, 145, 144)
_EYE_LEFT = (362, 385, 386, 387, 263, 373, 374, 380)
_NOSE = (168, 197, 195, 4, 59, 238, 94, 458, 289)
_LIPS_OUTER = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181)
_LIPS_UPPER, _LIPS_LOWER = (81, 13, 311), (178, 14, 402)


def _mixture() -> NDArray[np.float64]:
    """Weights (73, V) that make the 73 points of the kept vertices."""
    singles = {
        CONTOUR: _CONTOUR,
        EYE_RIGHT: _EYE_RIGHT,
        EYE_LEFT: _EYE_LEFT,
        NOSE: _NOSE,
        PUPILS: (468, 473),
        LIPS_OUTER: _LIPS_OUTER,
        LIPS_INNER_UPPER: _LIPS_UPPER,
        LIPS_INNER_LOWER: _LIPS_LOWER,
        (NOSE_TIP,): (4,),
    }
    made_of = {p: (v,) for points, found in singles.items() for p, v in zip(points, found, strict=True)}
    brows = zip((*BROW_RIGHT, *BROW_LEFT), (*_BROW_RIGHT, *_BROW_LEFT), strict=True)
    weights = np.zeros((POINTS, len(KEPT)))
    for point, found in [*made_of.items(), *brows]:
        weights[point, [KEPT.index(v) for v in found]] = 1 / len(found)
    return weights


MIXTURE = _mixture()


def place(vertex: int) -> int:
    """Where a vertex of the mesh stands among the kept ones."""
    return KEPT.index(vertex)


def points_of(vertices: NDArray[np.floating]) -> NDArray[np.float64]:
    """The 73 points (..., 73, C) of kept vertices (..., V, C)."""
    return np.asarray(MIXTURE @ vertices, np.float64)

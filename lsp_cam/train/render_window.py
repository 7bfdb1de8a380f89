"""Which parts of the picture the lite renderer paints anew, derived from where the face is in the clip."""

from dataclasses import replace

import numpy as np

from lsp_cam.train.landmarks import BROW_LEFT, BROW_RIGHT, CONTOUR, EYE_LEFT, EYE_RIGHT
from lsp_cam.train.models.lite import CELL, FLOW_CELL, FULL_SIDE, Box, Shape
from lsp_cam.train.tracked import Array

FOREHEAD, BELOW_CHIN, BESIDE = 0.55, 0.25, 0.15  # of the height from brows to chin, and of the face's width
AROUND_EYES_PX = 0.4  # of an eye's width
MORE_WIDTHS = (72, 96, 144, 192, 240)


def shape_of(points: Array, side: int) -> Shape:
    """Sizes for drawn points (T, 73, 2) in pixels of a clip: the window holds the face in all frames, or all."""
    face = points[:, list(CONTOUR)]
    (left, _), (right, chin) = face.min(axis=(0, 1)), face.max(axis=(0, 1))
    brow = points[:, [*BROW_RIGHT, *BROW_LEFT], 1].min()
    height, width = chin - brow, right - left
    rows = brow - FOREHEAD * height, chin + BELOW_CHIN * height
    window = _box(rows, (left - BESIDE * width, right + BESIDE * width), side, FLOW_CELL // CELL)
    if side < FULL_SIDE:  # hair and body, too
        window = Box(0, side // CELL, 0, side // CELL)
    eyes = points[:, [*EYE_RIGHT, *EYE_LEFT]]
    (left, top), (right, bottom) = eyes.min(axis=(0, 1)), eyes.max(axis=(0, 1))
    grow = AROUND_EYES_PX * float(np.ptp(points[:, list(EYE_RIGHT), 0], axis=1).mean())
    inner = _box((top - grow, bottom + grow), (left - grow, right + grow), side)
    shape = Shape(side, window, _clipped(inner, window))
    return shape if side >= FULL_SIDE else replace(shape, widths=MORE_WIDTHS)


def _box(rows: tuple[float, float], columns: tuple[float, float], side: int, cells: int = 1) -> Box:
    """The cells that the pixels lie in, in whole groups of `cells`, at least one group."""
    edges = []
    for low, high in (rows, columns):
        first = int(np.clip(np.floor(low / CELL / cells), 0, side // CELL // cells - 1))
        last = int(np.clip(np.ceil(high / CELL / cells), first + 1, side // CELL // cells))
        edges += [first * cells, last * cells]
    return Box(*edges)


def _clipped(inner: Box, outer: Box) -> Box:
    return Box(
        max(inner.top, outer.top),
        min(inner.bottom, outer.bottom),
        max(inner.left, outer.left),
        min(inner.right, outer.right),
    )

"""Upper body: 18 points along the shoulders, found without a hand, moved by optical flow, as a billboard (section 3.3).

Where the authors clicked the points, here the outline of the person is followed from beside the neck outwards. What
lies below it, the clothes, is followed from one picture of the clip to all others (Lucas-Kanade), so that nothing
drifts; the median of its movement moves the points. The billboard stands at the mean depth of the face.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.stages.landmarks import SHOULDER_POINTS
from lsp_cam.train.landmarks import CONTOUR
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.filter import parabolic
from lsp_cam.train.prepare.mesh import PersonFinder
from lsp_cam.train.prepare.rigid import Array, Lens

HALF = SHOULDER_POINTS // 2
BELOW_CHIN = 0.12  # of the face's height: an outline that is higher is hair, not shoulder
NECK_SHARE = 0.6  # of the face's width, from its middle: where a shoulder begins
WIDEST = 1.6  # widths of the face, from its middle: where it ends at the latest
CORNERS = 40
AWAY_PX = 0.04  # of the picture's side: flow that goes there and back and ends farther off has lost its point
FILTER_S = 0.28
Image = NDArray[Any]
_FLOW = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 20, 0.01)


def find_shoulders(picture: NDArray[np.uint8], face: Array) -> Array:
    """Points (18, 2) in pixels along both shoulders, from the left, in a picture (S, S, 3) of a face (73, 2)."""
    person = PersonFinder().find(picture)
    side = len(picture)
    contour = face[list(CONTOUR)]
    middle, width, chin = contour[:, 0].mean(), float(np.ptp(contour[:, 0])), float(contour[:, 1].max())
    height = chin - contour[:, 1].min()
    highest = int(min(side - 2, chin + BELOW_CHIN * height))
    lines = []
    for way in (-1, 1):
        near = middle + way * NECK_SHARE * width
        far = np.clip(middle + way * WIDEST * width, 2, side - 3)
        columns = np.linspace(near, far, HALF)
        rows = np.array([_outline(person[:, int(np.clip(x, 0, side - 1))], highest) for x in columns])
        rows = _falling(rows, side)
        lines.append(np.stack([columns, rows], axis=1)[::-1] if way < 0 else np.stack([columns, rows], axis=1))
    return np.concatenate(lines) + 0.5


def _outline(column: NDArray[np.bool_], highest: int) -> float:
    """The row from which a column is person, at `highest` or below; NaN where it nowhere is."""
    below = np.flatnonzero(column[highest:])
    return float(highest + below[0]) if len(below) else float("nan")


def _falling(rows: Array, side: int) -> Array:
    """Rows (9,) from the neck outwards: gaps filled, and never rising, as shoulders do not."""
    known = np.isfinite(rows)
    if not known.any():
        return np.linspace(0.8, 0.95, len(rows)) * side
    filled = np.interp(np.arange(len(rows)), np.flatnonzero(known), rows[known])
    return np.asarray(np.maximum.accumulate(filled))


def follow(frames: NDArray[np.uint8], numbers: NDArray[np.int64], reference: NDArray[np.uint8], points: Array) -> Array:
    """How far (T, 2) in pixels the upper body has moved since picture `reference` (S, S, 3), where its points (18, 2)
    are known, in each of the frames `numbers`."""
    grey = cv2.cvtColor(np.asarray(reference), cv2.COLOR_RGB2GRAY)
    mask = np.zeros_like(grey)
    outline = np.concatenate([points, [[points[-1, 0], len(grey)], [points[0, 0], len(grey)]]])
    cv2.fillPoly(mask, [outline.astype(np.int32)], 255)
    corners = cv2.goodFeaturesToTrack(grey, CORNERS, 0.01, 5, mask=mask)
    moves: Array = np.zeros((len(numbers), 2))
    if corners is None:
        return moves
    corners, guess = corners.reshape(-1, 1, 2), np.zeros(2, np.float32)
    for k, number in enumerate(numbers):
        other = cv2.cvtColor(np.asarray(frames[number]), cv2.COLOR_RGB2GRAY)
        move = _flow(grey, other, corners, guess)
        if move is not None:
            guess = move.astype(np.float32)
        moves[k] = guess
    return moves


def _flow(grey: Image, other: Image, corners: Image, guess: Image) -> Array | None:
    """The median movement (2,) of the corners from one picture to the other; None if too few are found again."""
    start = (corners + guess).astype(np.float32)
    flags, window = cv2.OPTFLOW_USE_INITIAL_FLOW, (15, 15)
    there, found, _ = cv2.calcOpticalFlowPyrLK(grey, other, corners, start, None, None, window, 3, _FLOW, flags)
    back, kept, _ = cv2.calcOpticalFlowPyrLK(other, grey, there, corners.copy(), None, None, window, 3, _FLOW, flags)
    returned = np.linalg.norm(back - corners, axis=2)[:, 0] < max(0.5, AWAY_PX * len(grey) / 10)
    good = (found[:, 0] > 0) & (kept[:, 0] > 0) & returned
    if good.sum() < max(4, len(corners) // 8):
        return None
    return np.asarray(np.median((there - corners)[good, 0], axis=0), np.float64)


def billboard(points: Array, moves: Array, depth_mm: float, lens: Lens, segments: list[Segment], fps: float) -> Array:
    """The points (18, 2), moved (T, 2), as points (T, 18, 3) in the camera at one depth."""
    smooth = parabolic(moves, segments, FILTER_S * fps)
    pixels = points + smooth[:, None]
    flat = (pixels - lens.centre) * depth_mm / lens.focal
    return np.concatenate([flat, np.full((*flat.shape[:2], 1), depth_mm)], axis=2)

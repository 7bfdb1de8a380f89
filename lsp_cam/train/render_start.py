"""What the lite renderer begins from: a still picture cut out, the background, and the same with shut eyes."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsp_cam.train.landmarks import BROW_LEFT, BROW_RIGHT, CONTOUR, EYE_LEFT, EYE_RIGHT
from lsp_cam.train.models.lite import CELL, Shape
from lsp_cam.train.prepare.mesh import PersonFinder
from lsp_cam.train.quality import box_around
from lsp_cam.train.render_data import Footage, openness, shut_eyes

MARGIN = 0.02  # of the picture's side: how far a person's outline may be from where it is told
FILL_PX = 5


def first_texture(footage: Footage) -> tuple[Tensor, Tensor]:
    """Texture (4, S, S) and background (3, S, S), 0..1: the stillest frame cut out, and what is behind the person."""
    still = np.ascontiguousarray(footage.frames[footage.still])
    behind = background(footage.frames[:: max(1, len(footage.frames) // 60)])
    opacity = cv2.GaussianBlur(_person(footage, still).astype(np.float32), (0, 0), 2.0) * 0.96 + 0.02
    texture = np.concatenate([still.transpose(2, 0, 1) / 255.0, opacity[None]])
    return torch.from_numpy(texture).float(), torch.from_numpy(behind.transpose(2, 0, 1) / 255.0).float()


def background(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What is behind the person (S, S, 3), 0..255, in frames (T, S, S, 3): the median of what is seen past them, and
    the nearest of it where nothing ever is. A median with the person in it would leave a ghost beside a moved head."""
    finder, side = PersonFinder(), frames.shape[1]
    margin = np.ones((max(3, round(MARGIN * side)),) * 2, np.uint8)
    person = np.stack([cv2.dilate(finder.find(frame).astype(np.uint8), margin) for frame in frames]).astype(bool)
    seen = frames.astype(np.float32)
    seen[person] = np.nan
    never: NDArray[np.bool_] = np.asarray(person.all(axis=0))
    seen[:, never] = 0.0
    middle = np.asarray(np.nanmedian(seen, axis=0), np.float32)
    levels, holes = np.asarray(middle.round(), np.uint8), np.asarray(never, np.uint8)
    filled = cv2.inpaint(levels, holes, FILL_PX, cv2.INPAINT_TELEA)
    return np.where(never[..., None], filled, middle).astype(np.float32)


def _person(footage: Footage, still: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Mask (S, S) of 0 and 1: where the person is in the still frame (grabCut from head, neck and shoulders)."""
    points, shoulders = footage.points[footage.still], footage.shoulders[footage.still]
    face = points[list(CONTOUR)]
    width, chin = float(np.ptp(face[:, 0])), float(face[:, 1].max())
    brow = float(points[[*BROW_RIGHT, *BROW_LEFT], 1].mean())
    top = brow - 0.75 * (chin - brow)  # hair reaches about three quarters of the face's height above the brows
    centre = (int(face[:, 0].mean()), int((top + chin) / 2))
    mask = np.full(still.shape[:2], cv2.GC_PR_BGD, np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.concatenate([face, shoulders]).astype(int)), cv2.GC_PR_FGD)
    mask[int(shoulders[:, 1].max()) :] = cv2.GC_PR_FGD
    cv2.ellipse(mask, centre, (int(0.55 * width), int((chin - top) / 2)), 0, 0, 360, cv2.GC_FGD, -1)
    mask[: max(0, int(top - 0.1 * width))] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    picture = cv2.cvtColor(still, cv2.COLOR_RGB2BGR)
    cv2.setRNGSeed(1)  # grabCut draws from it
    no_box = (0, 0, 0, 0)  # the mask tells it
    cv2.grabCut(picture, mask, no_box, *models, 4, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8)), np.uint8)


def first_lids(footage: Footage, shape: Shape) -> Tensor:
    """Texture (3, h, w) of closed eyes: of the blinks' frames the one most like the still, moved to where that is."""
    eyes, _ = openness(footage.clip.points)
    still = footage.fixed[footage.still]
    away = np.abs(footage.fixed - still).mean(axis=(1, 2)) + np.where(shut_eyes(eyes), 0.0, 1e3)
    shut = np.flatnonzero(eyes <= np.percentile(eyes[away < 1e3], 30))  # the middle of a blink, not its ends
    blink = int(shut[away[shut].argmin()])
    known = np.concatenate([footage.fixed[blink], np.ones((len(still), 1))], axis=1)
    affine = np.linalg.lstsq(known, still, rcond=None)[0].T
    moved = cv2.warpAffine(
        np.ascontiguousarray(footage.frames[blink]), affine, (shape.side,) * 2, borderMode=cv2.BORDER_REPLICATE
    )
    return shape.lids.of(torch.from_numpy(moved).permute(2, 0, 1)[None].float() / 255, CELL)[0]


def eyes_of_still(footage: Footage) -> Tensor:
    """1 around the eyes of the still frame (1, S, S), 0 elsewhere: irises look around, an average of them is a blur."""
    inside = torch.zeros(1, footage.side, footage.side)
    for eye in (EYE_RIGHT, EYE_LEFT):
        rows, columns = box_around(footage.points[footage.still, list(eye)], 0.1, footage.side)
        inside[:, rows, columns] = 1
    return inside

"""Validation of a renderer in training: scores on frames that it has not seen, and a sheet of pictures."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from lsp_cam.stages.landmarks import LIPS
from lsp_cam.train.landmarks import BROW_LEFT, BROW_RIGHT, CONTOUR
from lsp_cam.train.quality import box_around, psnr, ssim
from lsp_cam.train.render_data import Footage

FACE = (*CONTOUR, *BROW_RIGHT, *BROW_LEFT)


@torch.no_grad()
def check_sheet(
    draw: Callable[[int], Tensor], footage: Footage, first: int, stills: Path, count: int
) -> dict[str, float]:
    """PSNR and SSIM of whole pictures, PSNR in the boxes of face and mouth, over `count` frames from `first` on.

    `draw` gives the picture (3, S, S), 0..1, of a frame. Writes a sheet of pairs (ours, true) to `stills`.
    """
    scores, rows = [], []
    for k in np.linspace(first, len(footage.frames) - 1, count).astype(int):
        ours = np.round(draw(int(k)).float().clamp(0, 1).permute(1, 2, 0).numpy() * 255.0).astype(float)
        truth = footage.frames[k].astype(float)
        face = box_around(footage.points[k, list(FACE)], 0.05, footage.side)
        mouth = box_around(footage.points[k, list(LIPS)], 0.3, footage.side)
        boxes = [psnr(ours[box], truth[box]) for box in (face, mouth)]
        scores.append((psnr(ours, truth), ssim(ours, truth), *boxes))
        rows.append(np.hstack([ours, truth]))
    sheet = np.vstack(rows[:: max(1, count // 3)]).astype(np.uint8)
    cv2.imwrite(str(stills), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    names = ("psnr_db", "ssim", "face_psnr_db", "mouth_psnr_db")
    return {name: float(mean) for name, mean in zip(names, np.mean(scores, axis=0), strict=True)}

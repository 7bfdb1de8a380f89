"""Table 3: rendered pictures against the true ones, head and face moved as tracked (section 5.2).

Levels are 0..255, all three colours. L1: mean absolute difference. PSNR: of the mean square over all colours. SSIM: see
`quality.ssim`. Boxes: around the contour (the face) and the lips (the mouth), grown on all sides by 15 % and 30 % of
their width, where the truth has them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lsp_cam.packets import FaceFrame, LandmarkFrame
from lsp_cam.pipeline import Pipeline
from lsp_cam.stages.landmarks import LIPS
from lsp_cam.stages.project import ProjectStage
from lsp_cam.stages.shape import part_lips
from lsp_cam.train.evaluate.figures import Array, Row, spread
from lsp_cam.train.evaluate.footage import HeldOut
from lsp_cam.train.landmarks import CONTOUR
from lsp_cam.train.maps import tracked_shoulders
from lsp_cam.train.quality import box_around, psnr, ssim

FACE_MARGIN, MOUTH_MARGIN = 0.15, 0.3

Detect = Callable[[NDArray[np.uint8]], Array | None]
"""A picture (S, S, 3) to landmarks (P, 2) in pixels; None where no face is found."""
Perceived = Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
"""Two pictures (S, S, 3) to a perceptual distance."""


@dataclass(frozen=True)
class Extras:
    """Measures that need what is not always there: a landmark detector, LPIPS's weights."""

    detect: Detect | None = None
    perceived: Perceived | None = None


class TrackedMotion:
    """The subject drawn and rendered as the held-out clip moved, through the running program's own stages."""

    def __init__(self, pipeline: Pipeline, held_out: HeldOut) -> None:
        self._pipeline = pipeline
        subject = pipeline.subject
        got = subject.arrays("face.npz", rest_points=(73, 3), eye_indices=(None,))
        self._project = ProjectStage.from_subject(subject)
        clip = held_out.tracked
        self._poses = np.concatenate([clip.angles, clip.translation], axis=1).astype(np.float32)
        faces = np.repeat(got["rest_points"][None].astype(np.float64), len(clip.points), axis=0)
        offset_px = np.array(self._project.config.shoulder_offset_px)
        self._shoulders = (tracked_shoulders(clip) + offset_px).astype(np.float32)
        moving = [*got["eye_indices"].astype(int), *LIPS]
        faces[:, moving] = clip.points[:, moving]
        part_lips(faces, alike=False)
        self._faces = faces.astype(np.float32)

    def landmarks(self, picture: int) -> LandmarkFrame:
        """Where picture `picture` is drawn: eyes, brows, lips, head and shoulders as tracked, all else as the subject
        rests."""
        seen, _ = self._project.step(FaceFrame(picture, self._faces[picture], self._poses[picture]), None)
        return replace(seen[0], shoulders=self._shoulders[picture])

    def render(self, picture: int) -> NDArray[np.uint8]:
        """The picture (S, S, 3)."""
        return self._pipeline.render(self._pipeline.draw(self.landmarks(picture))).pixels


def chosen_pictures(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` pictures, evenly spaced."""
    return sorted({int(k) for k in np.linspace(0, count - 1, min(count, wanted))})


def boxes_of(points: Array, side: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns of the face and of the mouth with landmarks (73, 2) in a picture `side` pixels wide."""
    face, mouth = points[list(CONTOUR)], points[list(LIPS)]
    return box_around(face, FACE_MARGIN, side), box_around(mouth, MOUTH_MARGIN, side)


def compare(
    ours: NDArray[np.uint8], truth: NDArray[np.uint8], boxes: tuple[tuple[slice, slice], ...], extras: Extras
) -> dict[str, float]:
    """All measures of one picture; what cannot be measured is not a number."""
    a, b = ours.astype(np.float64), truth.astype(np.float64)
    face, mouth = boxes
    found = {
        "l1": float(np.abs(a - b).mean()),
        "psnr_db": psnr(a, b),
        "ssim": ssim(a, b),
        "face_psnr_db": psnr(a[face], b[face]),
        "mouth_psnr_db": psnr(a[mouth], b[mouth]),
    }
    if extras.perceived is not None:
        found["lpips"] = extras.perceived(ours, truth)
    if extras.detect is not None:
        seen, true = extras.detect(ours), extras.detect(truth)
        found["landmarks_px"] = np.nan
        if seen is not None and true is not None:
            found["landmarks_px"] = float(np.linalg.norm(seen - true, axis=-1).mean())
    return found


@dataclass(frozen=True)
class Measured:
    """One picture: its number in the held-out part, and its measures."""

    picture: int
    values: dict[str, float]


def measure(motion: TrackedMotion, held_out: HeldOut, extras: Extras, wanted: int) -> list[Measured]:
    """Every measure of at most `wanted` pictures."""
    pixels, side = held_out.tracked.project(held_out.tracked.points), held_out.frames.shape[1]
    chosen = chosen_pictures(len(held_out.frames), wanted)
    return [
        Measured(k, compare(motion.render(k), held_out.frames[k], boxes_of(pixels[k], side), extras)) for k in chosen
    ]


def picture_row(name: str, measured: list[Measured]) -> Row:
    """Mean and deviation of every measure; None for those that were not taken."""
    keys = ("l1", "psnr_db", "ssim", "lpips", "face_psnr_db", "mouth_psnr_db", "landmarks_px")
    values = {key: spread([one.values.get(key, np.nan) for one in measured]) for key in keys}
    return {"name": name, "pictures": len(measured), **values}

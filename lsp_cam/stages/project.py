"""From the subject's axes to pixels: pose, pinhole camera, shoulders that follow the head (sections 3.3, 3.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..packets import FaceFrame, Float32, LandmarkFrame
from ..subject import Subject
from .landmarks import POINTS, SHOULDER_POINTS

NEAREST_DEPTH = 1e-3  # what is nearer, or behind the camera, is drawn as if it were here
FARTHEST_PX = 1e6

Pixels = Annotated[float, Field(ge=-4096, le=4096)]


@dataclass(frozen=True)
class ProjectConfig:
    """How much of the head's translation the shoulders follow; where they are moved to in the picture (x, y)."""

    shoulder_amplify: Annotated[float, Field(ge=-10, le=10)] = 0.5
    shoulder_offset_px: tuple[Pixels, Pixels] = (0.0, 0.0)


@dataclass(frozen=True)
class Camera:
    """Pinhole `intrinsics` (3, 3) in pixels; `scale` of the subject's points; shoulders (18, 3) as tracked when the
    head's translation was `shoulders_translation` (3,), the camera's axes."""

    intrinsics: Float32
    scale: float
    shoulders: NDArray[np.float64]
    shoulders_translation: Float32


class ProjectStage:
    """FaceFrame -> LandmarkFrame; keeps nothing. In float32, as published, so that the same pixels are hit."""

    def __init__(self, config: ProjectConfig, camera: Camera) -> None:
        self.config = config
        self._camera = camera
        self._shoulders = np.ascontiguousarray(camera.shoulders.T)
        self._offset = np.array(config.shoulder_offset_px, np.float32)

    @classmethod
    def from_subject(cls, subject: Subject) -> ProjectStage:
        got = subject.arrays(
            "camera.npz",
            intrinsics=(3, 3),
            scale=(),
            shoulders=(SHOULDER_POINTS, 3),
            shoulders_translation=(3,),
        )
        camera = Camera(
            got["intrinsics"].astype(np.float32),
            float(got["scale"]),
            got["shoulders"].astype(np.float64),
            got["shoulders_translation"].astype(np.float32),
        )
        return cls(subject.config("project", ProjectConfig), camera)

    def start(self) -> None:
        return None

    def step(self, x: FaceFrame, state: None) -> tuple[list[LandmarkFrame], None]:
        camera, translation = self._camera, x.pose[3:]
        turned = rotation(x.pose[:3].astype(np.float64)) @ x.points.T
        placed = np.float32(camera.scale) * turned + translation[:, None]
        moved = (translation - camera.shoulders_translation) * np.float32(self.config.shoulder_amplify * x.shoulders)
        followed = (self._shoulders + moved[:, None]).astype(np.float32)
        pixels = pinhole(np.concatenate([placed, followed], axis=1), camera.intrinsics)
        return [LandmarkFrame(x.frame, pixels[:POINTS], pixels[POINTS:] + self._offset)], None

    def flush(self, state: None) -> tuple[list[LandmarkFrame], None]:
        return [], None


def rotation(angles_deg: NDArray[np.floating]) -> Float32:
    """The matrix (3, 3) that turns about x, then y, then z: Rz·Ry·Rx."""
    # Three numbers: numpy would take several times as long.
    x, y, z = (math.radians(angle) for angle in angles_deg.tolist())
    sx, sy, sz, cx, cy, cz = math.sin(x), math.sin(y), math.sin(z), math.cos(x), math.cos(y), math.cos(z)
    return np.array(
        [
            [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
            [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
            [-sy, cy * sx, cy * cx],
        ],
        np.float32,
    )


def pinhole(placed: Float32, intrinsics: Float32) -> Float32:
    """Pixels (N, 2) of points (3, N) in the camera's axes; finite whatever is put in."""
    with np.errstate(all="ignore"):
        seen = intrinsics @ placed
        pixels = seen[:2] / np.fmax(seen[2], np.float32(NEAREST_DEPTH))
    np.fmin(np.fmax(pixels, np.float32(-FARTHEST_PX)), np.float32(FARTHEST_PX), out=pixels)  # NaN goes too
    return np.ascontiguousarray(pixels.T)

"""The whole face: mouth, eyes and brows in the face at rest (section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ..errors import BundleError
from ..packets import FaceFrame, Float32, Int32, MotionFrame
from ..subject import Subject
from .landmarks import LIPS, POINTS

_LIPS = slice(LIPS[0], LIPS[-1] + 1)


@dataclass(frozen=True)
class FaceConfig:
    """`eye_seam_frames`: over how many frames the end of the eyes' sequence melts into its beginning (live)."""

    eye_seam_frames: Annotated[int, Field(ge=0, le=600)] = 12


class FaceStage:
    """MotionFrame -> FaceFrame. The eyes play their sequence over and over; nothing is kept from frame to frame.

    `live`: the gate closes the mouth and the eyes' loop has no seam. Else both are as published.
    """

    def __init__(
        self,
        config: FaceConfig,
        rest_points: Float32,
        eye_track: Float32,
        eye_indices: Int32,
        closed_mouth: Float32,
        *,
        live: bool = True,
    ) -> None:
        self.config = config
        self.rest_points = rest_points
        self._eyes = seamless(eye_track, config.eye_seam_frames) if live else eye_track
        self._eye_indices = eye_indices
        self._closed = closed_mouth
        self._live = live

    @classmethod
    def from_subject(cls, subject: Subject, *, live: bool = True) -> FaceStage:
        """Raises BundleError if `face.npz` does not hold what a face is made of."""
        lips = len(LIPS)
        got = subject.arrays(
            "face.npz",
            rest_points=(POINTS, 3),
            eye_track=(None, None, 3),
            eye_indices=(None,),
            closed_mouth=(lips, 3),
        )
        track, indices = got["eye_track"], got["eye_indices"]
        fits = indices.dtype.kind in "iu" and len(indices) == track.shape[1] and len(track) > 0
        if not fits or not np.isin(indices, [p for p in range(POINTS) if p not in LIPS]).all():
            raise BundleError(f"{subject.name}: face.npz: the eyes' sequence and its points do not fit together.")
        return cls(
            subject.config("face", FaceConfig),
            got["rest_points"].astype(np.float32),
            track.astype(np.float32),
            indices.astype(np.int32),
            got["closed_mouth"].astype(np.float32),
            live=live,
        )

    def start(self) -> None:
        return None

    def step(self, x: MotionFrame, state: None) -> tuple[list[FaceFrame], None]:
        points = self.rest_points.copy()
        points[self._eye_indices] = self._eyes[x.frame % len(self._eyes)]
        spoken = x.shape.points[_LIPS]
        if self._live and x.voice.gate < 1:
            spoken = self._closed + np.float32(x.voice.gate) * (spoken - self._closed)
        points[_LIPS] = spoken
        return [FaceFrame(x.frame, points, x.head.pose)], None

    def flush(self, state: None) -> tuple[list[FaceFrame], None]:
        return [], None


def seamless(track: Float32, seam_frames: int) -> Float32:
    """`track` (T, E, 3) made to be looped: its last `seam_frames` melt into its first (at most half of it do)."""
    seam = min(seam_frames, len(track) // 2)
    if seam == 0:
        return track
    share = (np.arange(1, seam + 1, dtype=np.float32) / (seam + 1))[:, None, None]
    looped = track[: len(track) - seam].copy()
    looped[:seam] = track[len(track) - seam :] * (1 - share) + looped[:seam] * share
    return looped

"""The whole face: mouth, eyes and brows in the face at rest (section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..errors import BundleError
from ..packets import FaceFrame, Float32, Int32, MotionFrame
from ..subject import Subject
from .landmarks import LIDS, LIPS, POINTS

_LIPS = slice(LIPS[0], LIPS[-1] + 1)
LEAST_BLINK = 0.3  # of an open eye's height: what closes less is no blink
SHUT_SHARE = 0.3  # of the way from open to the most that the eyes ever close
AROUND_FRAMES = 4


@dataclass(frozen=True)
class FaceConfig:
    """`eye_seam_frames`: over how many frames the end of the eyes' sequence melts into its beginning (live)."""

    eye_seam_frames: Annotated[int, Field(ge=0, le=600)] = 12


@dataclass(slots=True)
class FaceState:
    """How many frames the eyes' sequence is ahead of the frames' own number; other than 0 once blinks were changed."""

    ahead: float = 0.0


class FaceStage:
    """MotionFrame -> FaceFrame. The eyes play their sequence over and over: between blinks as many times faster as
    blinks are to come more often, a blink itself at its own speed.

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
        self._blinking = blinking(self._eyes, eye_indices)
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

    def start(self) -> FaceState:
        return FaceState()

    def step(self, x: MotionFrame, state: FaceState) -> tuple[list[FaceFrame], FaceState]:
        points = self.rest_points.copy()
        points[self._eye_indices] = self._look(x, state)
        spoken = x.shape.points[_LIPS]
        share = x.manner.mouth * (x.voice.gate if self._live else 1.0)
        if share != 1:
            spoken = self._closed + np.float32(share) * (spoken - self._closed)
        points[_LIPS] = spoken
        return [FaceFrame(x.frame, points, x.head.pose, x.manner.shoulders)], state

    def flush(self, state: FaceState) -> tuple[list[FaceFrame], FaceState]:
        return [], state

    def _look(self, x: MotionFrame, state: FaceState) -> Float32:
        """Eyes and brows (E, 3) of this frame; moves `state` on."""
        place = (x.frame + state.ahead) % len(self._eyes)
        row = int(place)
        if not self._blinking[row]:
            state.ahead += x.manner.blinks - 1
        share = np.float32(place - row)
        looked: Float32 = self._eyes[row]
        if share != 0:
            looked = looked * (1 - share) + self._eyes[(row + 1) % len(self._eyes)] * share
        return looked


def blinking(track: Float32, indices: Int32) -> NDArray[np.bool_]:
    """In which frames of `track` (T, E, 3) the eyes blink, a moment around it included; none if it has no lids."""
    found = np.zeros(len(track), bool)
    if not np.isin(LIDS, indices).all():
        return found
    upper, lower = (track[:, [list(indices).index(point) for point in side], 1] for side in zip(*LIDS, strict=True))
    height = (upper - lower).mean(axis=1)
    widest, least = float(np.median(height)), float(height.min())
    if widest - least > LEAST_BLINK * widest:
        around = np.ones(2 * AROUND_FRAMES + 1)
        shut = height < widest - SHUT_SHARE * (widest - least)
        found = np.convolve(shut, around, "same")[: len(track)] > 0
    return found


def seamless(track: Float32, seam_frames: int) -> Float32:
    """`track` (T, E, 3) made to be looped: its last `seam_frames` melt into its first (at most half of it do)."""
    seam = min(seam_frames, len(track) // 2)
    if seam == 0:
        return track
    share = (np.arange(1, seam + 1, dtype=np.float32) / (seam + 1))[:, None, None]
    looped = track[: len(track) - seam].copy()
    looped[:seam] = track[len(track) - seam :] * (1 - share) + looped[:seam] * share
    return looped

"""The rendered person who does not exist, read into the method's conventions (shared/data/synthetic/README.md)."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER, MOUTH_RELATED, POINTS
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

Array = NDArray[np.float64]

# The rig lists its points group by group; this is where each of the method's 73 points is in that list.
_RIG_ORDER = (*CONTOUR, *BROW_RIGHT, *BROW_LEFT, *EYE_RIGHT, *EYE_LEFT, *NOSE, *LIPS_OUTER)
_RIG_ORDER = (*_RIG_ORDER, *LIPS_INNER_UPPER, *LIPS_INNER_LOWER)
_RIG_PUPILS, _RIG_NOSE_TIP = (118, 119), 46


def rig_index() -> NDArray[np.int64]:
    """For each of the 73 points its number among the rig's 120."""
    index = np.empty(POINTS, np.int64)
    index[list(_RIG_ORDER)] = np.arange(len(_RIG_ORDER))
    index[list(PUPILS)] = _RIG_PUPILS
    index[NOSE_TIP] = _RIG_NOSE_TIP
    return index


def angles_of(rotation: Array) -> Array:
    """Angles (T, 3) in degrees about x, y, z of rotations (T, 3, 3) = Rz Ry Rx, the first in 0..360.

    The camera's y points down and its z away, so that a face turned to the camera has its first angle near 180.
    """
    x = np.degrees(np.arctan2(rotation[:, 2, 1], rotation[:, 2, 2]))
    y = np.degrees(np.arcsin(np.clip(-rotation[:, 2, 0], -1, 1)))
    z = np.degrees(np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]))
    return np.stack([np.where(x < 0, x + 360, x), y, z], axis=1)


def rotation_of(angles: Array) -> Array:
    """Rotations (T, 3, 3) = Rz Ry Rx of angles (T, 3) in degrees."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(np.radians(angles)).T, np.cos(np.radians(angles)).T
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


@dataclass(frozen=True)
class Tracked:
    """A clip as the tracker would give it; lengths in mm, angles in degrees, T frames at `fps`.

    points (T, 73, 3) head-fixed, about `centre` of the rig's axes; neutral (73, 3) likewise; angles and translation
    (T, 3) of the head in the camera; shoulders (T, 18, 3) in the camera; intrinsics (3, 3).
    """

    fps: float
    points: Array
    neutral: Array
    angles: Array
    translation: Array
    shoulders: Array
    intrinsics: Array
    centre: Array

    def at_rate(self, fps: float) -> "Tracked":
        """The same clip at another frame rate, linearly interpolated between frame centres."""
        frames = len(self.points)
        count = int(frames * fps / self.fps)
        when = np.clip((np.arange(count) + 0.5) * self.fps / fps - 0.5, 0, frames - 1)
        low = np.minimum(when.astype(int), frames - 2)

        def between(values: Array) -> Array:
            share = (when - low).reshape(-1, *[1] * (values.ndim - 1))
            return np.asarray(values[low] * (1 - share) + values[low + 1] * share)

        moved = (between(a) for a in (self.points, self.angles, self.translation, self.shoulders))
        points, angles, translation, shoulders = moved
        return Tracked(fps, points, self.neutral, angles, translation, shoulders, self.intrinsics, self.centre)

    def project(self, points: Array) -> Array:
        """Pixels (T, P, 2) of head-fixed points (T, P, 3) under this clip's head poses."""
        camera = np.einsum("tij,tpj->tpi", rotation_of(self.angles), points) + self.translation[:, None]
        return pinhole(camera, self.intrinsics)


def pinhole(camera: Array, intrinsics: Array) -> Array:
    """Pixels (..., 2) of points (..., 3) in the camera."""
    image = camera @ intrinsics.T
    return np.asarray(image[..., :2] / image[..., 2:])


def read_tracked(folder: Path) -> Tracked:
    """`ground_truth.npz`, with the head's axes moved to its pivot in the neck, so that turning does not translate."""
    with np.load(folder / "ground_truth.npz", allow_pickle=False) as truth:
        index, centre = rig_index(), truth["pivot_mm"]
        rotation = truth["R_cam"]
        world_to_camera = rotation[0] @ truth["head_R_world"][0].T
        shoulders = (truth["shoulder_world_mm"] - truth["camera_pos_mm"]) @ world_to_camera.T
        return Tracked(
            fps=float(truth["fps"]),
            points=truth["points_obj_mm"][:, index].astype(float) - centre,
            neutral=truth["neutral_obj_mm"][index] - centre,
            angles=angles_of(rotation),
            translation=truth["t_cam_mm"] + rotation @ centre,
            shoulders=shoulders,
            intrinsics=truth["K"],
            centre=centre,
        )


@dataclass(frozen=True)
class MouthTruth:
    """Movement of the mouth at 60 fps for many speakers: rows `spans[id]` of displacements, mm, in network order."""

    speakers: dict[str, str]
    spans: dict[str, tuple[int, int]]
    coefficients: NDArray[np.float16]
    basis: NDArray[np.float32]

    def displacement(self, utterance: str) -> NDArray[np.float32]:
        """Displacements (T, 75) of the 25 mouth-related points from the neutral face."""
        first, last = self.spans[utterance]
        return self.coefficients[first:last].astype(np.float32) @ self.basis


def mouth_order() -> NDArray[np.int64]:
    """For each of the network's 25 points its number in the rig's list of 25 (lips, inner lips, contour)."""
    rig = (*LIPS_OUTER, *LIPS_INNER_UPPER, *LIPS_INNER_LOWER, *MOUTH_RELATED[:7])
    return np.array([rig.index(point) for point in MOUTH_RELATED])


def read_mouth_truth(folder: Path) -> MouthTruth:
    """`mouth_supervision.npz`."""
    with np.load(folder / "mouth_supervision.npz", allow_pickle=False) as truth:
        ids, offsets = [str(name) for name in truth["ids"]], truth["offsets"]
        return MouthTruth(
            speakers=dict(zip(ids, map(str, truth["speaker"]), strict=True)),
            spans={name: (int(offsets[k]), int(offsets[k + 1])) for k, name in enumerate(ids)},
            coefficients=truth["coefficients"],
            basis=truth["basis_mm"][:, mouth_order()].reshape(-1, 75),
        )


def cache_footage(video: Path, cache: Path) -> NDArray[np.uint8]:
    """All frames (T, H, W, 3) RGB of a video, decoded once into `cache` (a file) and mapped from there."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        height, width = stream.height, stream.width
        if not cache.exists():
            cache.parent.mkdir(parents=True, exist_ok=True)
            partial = cache.with_suffix(".partial")
            with partial.open("wb") as out:
                for frame in container.decode(stream):
                    out.write(frame.to_ndarray(format="rgb24").tobytes())
            partial.rename(cache)
    return np.memmap(cache, np.uint8, mode="r").reshape(-1, height, width, 3)

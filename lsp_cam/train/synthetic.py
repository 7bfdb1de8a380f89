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
from lsp_cam.train.tracked import Tracked, angles_of

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

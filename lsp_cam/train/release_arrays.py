"""Arrays of a bundle from those of the authors' release. All functions raise SubjectError."""

from __future__ import annotations

import numpy as np

from ..errors import SubjectError
from ..stages.head import FACING_CAMERA_DEG
from ..stages.landmarks import EYES, POINTS, SHOULDER_POINTS
from ..subject import npz_bytes
from .closed_mouth import closed_mouth
from .release_files import Array, ReleaseFiles

PICTURE_PX = 512
LARGEST_EXAMPLE_PX = 8192
FEATURES = 512
FIRST_EYE_FRAME = 10
SHOULDER_FRAME = 1


def mean_angles(tracked_deg: Array) -> tuple[float, ...]:
    """The mean of tracked angles (T, 3) in degrees as the pose network has them: the first about 180."""
    angles = tracked_deg.astype(np.float64)
    angles[:, 0] = np.where(angles[:, 0] < 0, angles[:, 0] + 360, angles[:, 0]) - FACING_CAMERA_DEG
    return tuple(angles.mean(axis=0).tolist())


def shoulder_offset(source: ReleaseFiles) -> tuple[float, float]:
    """How far (x, y) pixels the shoulders are moved because the subject's pictures were padded.

    The crop of 512 pixels around (xc, yc) is compared with the example's frame; the published code counts what
    hangs over at each side, and only where the crop ends at 0 or 512.
    """
    height, width = source.picture("example.png", LARGEST_EXAMPLE_PX)[1].shape[:2]
    centre = source.archive("change_paras.npz", xc=(), yc=())
    half, over, touches = PICTURE_PX / 2, [], False
    for middle, length in ((float(centre["xc"]), width), (float(centre["yc"]), height)):
        low, high = max(middle - half, 0), min(middle + half, length)
        touches |= low == 0 or high == PICTURE_PX
        over.append((abs(middle - half - low), abs(middle + half - high)))
    (left, right), (top, bottom) = over
    return (right - left, top - bottom) if touches else (0.0, 0.0)


def manifold_arrays(source: ReleaseFiles) -> bytes:
    """`manifold.npz`."""
    base = source.array("APC_feature_base.npy", None, FEATURES)
    return npz_bytes(feature_base=base.astype(np.float32))


def face_arrays(source: ReleaseFiles) -> bytes:
    """`face.npz`; of the eyes' sequence the frames that the published code plays."""
    mean = source.array("mean_pts3d.npy", POINTS, 3)
    tracked = source.array("tracked3D_normalized_pts_fix_contour.npy", None, POINTS, 3)
    if len(tracked) <= FIRST_EYE_FRAME:
        raise SubjectError(f"{source.folder}: the tracked sequence has {len(tracked)} frames; it needs at least 11.")
    return npz_bytes(
        mean_points=mean,
        rest_points=tracked.mean(axis=0),
        eye_track=tracked[FIRST_EYE_FRAME:, EYES].astype(np.float32),
        eye_indices=np.array(EYES, np.int32),
        closed_mouth=closed_mouth(tracked, mean),
    )


def camera_arrays(source: ReleaseFiles, translation: Array) -> bytes:
    """`camera.npz`; `translation` (T, 3) float32 as tracked."""
    if len(translation) <= SHOULDER_FRAME:
        raise SubjectError(f"{source.folder}/3d_fit_data.npz has too few frames. Download the release again.")
    shoulders = source.array("shoulder_points3D.npy", None, SHOULDER_POINTS, 3)
    if len(shoulders) <= SHOULDER_FRAME:
        raise SubjectError(f"{source.folder}/shoulder_points3D.npy has too few frames. Download the release again.")
    return npz_bytes(
        intrinsics=source.array("camera_intrinsic.npy", 3, 3),
        scale=np.array(source.matlab_number("id_scale.mat", "scale")),
        mean_translation=translation.mean(axis=0),
        shoulders=shoulders[SHOULDER_FRAME],
        shoulders_translation=translation[SHOULDER_FRAME],
    )

"""Import of the authors' released subjects (May, Obama1, Obama2, Nadella, McStay): their folder to a bundle."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np

from ..errors import ModelError, SubjectError
from ..stages.head import FACING_CAMERA_DEG
from ..stages.landmarks import EYES, POINTS, SHOULDER_POINTS
from ..stages.render import CANDIDATES
from ..subject import Subject, check_name, npz_bytes, write_bundle
from .closed_mouth import closed_mouth
from .export import mouth_onnx, pose_onnx, speech_onnx
from .export_render import generator_kind, render_onnx
from .release_files import Array, ReleaseFiles, read_weights
from .release_settings import (
    HEAD_LOOK_AHEAD_FRAMES,
    MOUTH_LOOK_AHEAD_FRAMES,
    ReleaseSettings,
    release_settings,
)

PICTURE_PX = 512
LARGEST_EXAMPLE_PX = 8192
FEATURES = 512
FIRST_EYE_FRAME = 10
SHOULDER_FRAME = 1

Files = dict[str, bytes]
T = TypeVar("T")


def import_release(folder: Path, apc: Path, settings: Path | None, name: str, target: Path) -> Subject:
    """Turn the release in `folder` and the shared speech encoder `apc` into a bundle called `name` at `target`.

    `settings`: the subject's YAML; None: see `release_settings`. `target` must not be there; it appears whole or
    not at all. Raises SubjectError, which names the file at fault and what to do.
    """
    check_name(name)
    if not folder.is_dir():
        raise SubjectError(f"{folder} is not a folder. Give the folder of one subject of the authors' release.")
    if target.exists():
        raise SubjectError(f"{target} is there already. Remove it, or choose another name.")
    chosen, source = release_settings(folder, settings), ReleaseFiles(folder)
    tracked = source.archive("3d_fit_data.npz", rot_angles=(None, 3), trans=(None, 3, 1))
    translation = tracked["trans"][:, :, 0].astype(np.float32)
    files = {
        "manifold.npz": _manifold(source),
        "face.npz": _face(source),
        "camera.npz": _camera(source, translation),
        **_pictures(source),
        **_networks(source, apc, chosen),
    }
    stages = _stage_settings(chosen, mean_angles(tracked["rot_angles"]), shoulder_offset(source))
    return _put(target, _manifest(folder.resolve().name, name, stages), files)


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


def _manifold(source: ReleaseFiles) -> bytes:
    base = source.array("APC_feature_base.npy", None, FEATURES)
    return npz_bytes(feature_base=base.astype(np.float32))


def _face(source: ReleaseFiles) -> bytes:
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


def _camera(source: ReleaseFiles, translation: Array) -> bytes:
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


def _pictures(source: ReleaseFiles) -> Files:
    files: Files = {}
    for index in range(CANDIDATES):
        name = f"candidates/normalized_full_{index}.jpg"
        data, pixels = source.picture(name, PICTURE_PX)
        if pixels.shape[:2] != (PICTURE_PX, PICTURE_PX):
            raise SubjectError(f"{source.folder / name} must be {PICTURE_PX} x {PICTURE_PX} pixels.")
        files[f"candidates/{index}.jpg"] = data
    example = source.picture("example.png", LARGEST_EXAMPLE_PX)[1]
    factor = min(1.0, PICTURE_PX / max(example.shape[:2]))
    small = cv2.resize(example, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    made, preview = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
    assert made, "OpenCV cannot write JPEG"
    return {**files, "preview.jpg": preview.tobytes()}


def _networks(source: ReleaseFiles, apc: Path, settings: ReleaseSettings) -> Files:
    folder = source.folder / "checkpoints"
    return {
        "speech.onnx": _network(apc, (), lambda state: speech_onnx(state, settings.residual_speech)),
        "mouth.onnx": _network(folder / "Audio2Feature.pkl", ("module.",), mouth_onnx),
        "pose.onnx": _network(folder / "Audio2Headpose.pkl", ("module.",), pose_onnx),
        **_network(
            folder / "Feature2Face.pkl", ("module.", "netG."), lambda state: _renderer(state, settings.generator)
        ),
    }


def _network(path: Path, prefixes: tuple[str, ...], export: Callable[[dict[str, Any]], T]) -> T:
    try:
        return export(read_weights(path, *prefixes))
    except ModelError as error:
        raise SubjectError(f"{path}: {error}") from None


def _renderer(state: dict[str, Any], wanted: str) -> Files:
    kind, ngf = generator_kind(state)
    if kind != wanted:
        raise ModelError(f"This is the '{kind}' generator, but the settings say '{wanted}'. Give the subject's own.")
    return render_onnx(state, kind, ngf, PICTURE_PX)


def _stage_settings(
    settings: ReleaseSettings, mean_rotation_deg: tuple[float, ...], shoulder_offset_px: tuple[float, float]
) -> dict[str, dict[str, Any]]:
    rotation, translation = settings.head_amplify
    smooth_rotation, smooth_translation = settings.head_smooth
    return {
        "manifold": {"neighbours": settings.neighbours, "blend": settings.blend},
        "mouth": {"look_ahead_frames": MOUTH_LOOK_AHEAD_FRAMES},
        "shape": {"smooth_frames": settings.mouth_smooth, **settings.mouth_factors()},
        "pose": {"look_ahead_frames": HEAD_LOOK_AHEAD_FRAMES, "sigma_scale": settings.sigma_scale},
        "head": {
            "amplify_rotation": rotation,
            "amplify_translation": translation,
            "smooth_rotation_frames": smooth_rotation,
            "smooth_translation_frames": smooth_translation,
            "mean_rotation_deg": mean_rotation_deg,
        },
        "project": {"shoulder_amplify": settings.shoulder_amplify, "shoulder_offset_px": shoulder_offset_px},
        "render": {"size": PICTURE_PX},
    }


def _manifest(title: str, name: str, settings: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "licence": "Code of Live Speech Portraits: MIT. Weights and footage: what their authors grant, and no more.",
        "consent": {
            "shows": title,
            "statement": "The release carries no statement of consent by the person shown. Whoever uses this subject "
            "answers for having the right to.",
        },
        "provenance": f"Imported from the release '{title}' of Live Speech Portraits (Lu, Chai, Cao 2021).",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
    }


def _put(target: Path, manifest: dict[str, Any], files: Files) -> Subject:
    """Write the bundle beside `target`, then give it its name."""
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
        write_bundle(part, manifest, files)
        part.chmod(0o755)
        os.rename(part, target)
    except OSError as error:
        raise SubjectError(
            f"{target} cannot be written: {error.strerror}. Make room or choose another place."
        ) from None
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return Subject.open(target)

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
from ..manifest import check_name
from ..stages.render import CANDIDATES
from ..subject import Subject, write_bundle
from .export import mouth_onnx, pose_onnx, pose_speech_onnx, speech_onnx
from .export_render import generator_kind, render_onnx
from .release_arrays import (
    LARGEST_EXAMPLE_PX,
    PICTURE_PX,
    camera_arrays,
    face_arrays,
    manifold_arrays,
    mean_angles,
    shoulder_offset,
)
from .release_files import ReleaseFiles, read_weights
from .release_settings import (
    HEAD_LOOK_AHEAD_FRAMES,
    MOUTH_LOOK_AHEAD_FRAMES,
    ReleaseSettings,
    release_settings,
)

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
        "manifold.npz": manifold_arrays(source),
        "face.npz": face_arrays(source),
        "camera.npz": camera_arrays(source, translation),
        **_pictures(source),
        **_networks(source, apc, chosen),
    }
    stages = _stage_settings(chosen, mean_angles(tracked["rot_angles"]), shoulder_offset(source))
    return _put(target, _manifest(folder.resolve().name, name, stages), files)


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
        "pose_speech.onnx": _network(folder / "Audio2Headpose.pkl", ("module.",), pose_speech_onnx),
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

"""Every intermediate array of the chain for one clip, under the names of the reference cases."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.base import Engine
from .errors import UsageError
from .packets import Float32, LandmarkFrame
from .pipeline import Pipeline, PipelineConfig
from .stream import chunked, run_offline
from .subject import Subject

Arrays = dict[str, NDArray[Any]]
CHUNK_SAMPLES = 1 << 16
RENDER_STRIDE_PX = 8


def trace(
    samples: Float32,
    subject: Subject,
    engine: Engine,
    config: PipelineConfig,
    candidates: Float32 | None = None,
) -> Arrays:
    """Run `samples` (S,) 16 kHz through the chain; keep what each stage gave.

    T motion frames, n of them drawn (published smoothing: n = T - 15): audio (S,), mel (2T, 80), apc and
    projected (2T, F), knn and lle_w (2T, K), mouth_delta (T, 75), head_raw (., 25), head_pred (., 12),
    mouth_pts (n, 73, 3), headpose (n, 6), pts3d (n, 73, 3), landmarks (n, 73, 2), shoulders (n, 18, 2),
    map_frames (3,) first, middle, last; maps (3, H, W/8) packed bits; render (3, H/8, W/8), every 8th pixel
    of the generator's output in -1..1 for the middle one. `candidates` (1, 12, H, W) replaces the pictures.
    """
    kept: dict[str, list[Any]] = {}
    pipeline = Pipeline(subject, engine, config, tap=lambda name, y: kept.setdefault(name, []).append(y))
    landmarks = list(run_offline(pipeline.motion, chunked(samples, CHUNK_SAMPLES)))
    out = {"audio": samples, **_speech_arrays(kept), **_motion_arrays(kept, landmarks)}
    if landmarks:
        out |= _pictures(pipeline, landmarks, engine, candidates)
    return out


def _stack(packets: list[Any] | None, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    arrays = [getattr(p, name) for p in packets or []]
    return np.stack(arrays).reshape(shape) if arrays else np.zeros([max(n, 0) for n in shape], np.float32)


def _speech_arrays(kept: dict[str, list[Any]]) -> Arrays:
    projected = kept.get("manifold", [])
    neighbours = projected[0].neighbours.shape[-1] if projected else 0
    features = projected[0].rows.shape[-1] if projected else 0
    return {
        "mel": _stack(kept.get("mel"), "rows", (-1, 80)),
        "apc": _stack(kept.get("speech"), "rows", (-1, features)),
        "knn": _stack(projected, "neighbours", (-1, neighbours)),
        "lle_w": _stack(projected, "weights", (-1, neighbours)),
        "projected": _stack(projected, "rows", (-1, features)),
    }


def _motion_arrays(kept: dict[str, list[Any]], landmarks: list[LandmarkFrame]) -> Arrays:
    return {
        "mouth_delta": _stack(kept.get("mouth"), "points", (-1, 75)),
        "head_raw": _stack(kept.get("pose"), "raw", (-1, 25)),
        "head_pred": _stack(kept.get("pose"), "sample", (-1, 12)),
        "mouth_pts": _stack(kept.get("shape"), "points", (-1, 73, 3)),
        "headpose": _stack(kept.get("head"), "pose", (-1, 6)),
        "pts3d": _stack(kept.get("face"), "points", (-1, 73, 3)),
        "landmarks": _stack(landmarks, "points", (-1, 73, 2)),
        "shoulders": _stack(landmarks, "shoulders", (-1, 18, 2)),
    }


def _pictures(pipeline: Pipeline, landmarks: list[LandmarkFrame], engine: Engine, candidates: Float32 | None) -> Arrays:
    chosen = [0, len(landmarks) // 2, len(landmarks) - 1]
    maps = [pipeline.draw(landmarks[i]) for i in chosen]
    if candidates is not None:
        pipeline.use_candidates(engine, candidates)
    raw = pipeline.generate(maps[1])
    return {
        "map_frames": np.array(chosen, np.int64),
        "maps": np.stack([np.packbits(m.pixels > 0, axis=-1) for m in maps]),
        "render": raw[0, :, ::RENDER_STRIDE_PX, ::RENDER_STRIDE_PX],
    }


def read_candidates(path: Path) -> Float32:
    """Candidate images from a `.npy`: (1, 12, H, W) float32 in -1..1; UsageError if it is not that."""
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a .npy array: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim != 4 or array.shape[:2] != (1, 12) or array.dtype.kind != "f":
        raise UsageError(f"{path} must hold one array (1, 12, H, W) of floats in -1..1.")
    return array.astype(np.float32)


def write_trace(path: Path, arrays: Arrays) -> None:
    """Write the arrays as a compressed `.npz`, whole or not at all."""
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} to write to. Create it first.")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
            try:
                np.savez_compressed(part, allow_pickle=False, **arrays)
                part.close()
                os.replace(part.name, path)
            except BaseException:
                part.close()
                os.unlink(part.name)
                raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None

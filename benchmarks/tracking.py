"""How well a video is tracked: the rendered footage, as `lsp-cam subject create` tracks it, against its ground truth.

A face mesh and a rig name slightly different points and axes, so that a constant offset of each landmark, and one
constant rotation, are taken away where the table says so. Figures, never a test.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsp_cam.train.create import TRACKED, create
from lsp_cam.train.job import Request
from lsp_cam.train.prepare.face import lip_gap
from lsp_cam.train.prepare.timeline import Timeline
from lsp_cam.train.prepare.work import Work
from lsp_cam.train.synthetic import read_tracked, rig_index
from lsp_cam.train.tracked import load_tracked, rotation_of
from lsp_cam.trust.consent import nobody

Array = NDArray[np.float64]
GOALS = {
    "landmarks, offsets removed, px": "1.0",
    "reprojection, px": "1.0",
    "inner-lip gap, r": ">= 0.97",
    "head rotation, one constant rotation removed, deg": "1.0",
    "head rotation, as it is, deg": "1.0",
    "focal length, relative error": "0.15",
}


def measure(folder: Path, data: Path) -> dict[str, float]:
    """Figures of the work folder of a creation from the footage in `data`."""
    clip, numbers = load_tracked(folder / "tracked.npz"), Timeline.load(folder / "timeline.npz").numbers
    truth = read_tracked(data)
    with np.load(data / "ground_truth.npz", allow_pickle=False) as arrays:
        known, rotation = arrays["points_2d"][numbers][:, rig_index()], arrays["R_cam"][numbers]
    away = clip.project(clip.points) - known
    centred = np.linalg.norm(away - away.mean(axis=0), axis=2)
    found = rotation_of(clip.angles)
    facts = Work(folder).facts("track")
    return {
        "frames": float(len(numbers)),
        "landmarks, offsets removed, px": float(centred.mean()),
        "lips, offsets removed, px": float(centred[:, 46:64].mean()),
        "reprojection, px": float(facts["reprojection_px"]),
        "inner-lip gap, r": float(np.corrcoef(lip_gap(clip.points), lip_gap(truth.points[numbers]))[0, 1]),
        "head rotation, one constant rotation removed, deg": degrees(found, rotation @ constant(found, rotation)),
        "head rotation, as it is, deg": degrees(found, rotation),
        "focal length, px": float(clip.intrinsics[0, 0]),
        "focal length, relative error": float(clip.intrinsics[0, 0] / truth.intrinsics[0, 0] - 1),
        "focal length, stated deviation": float(facts["focal_deviation"]),
        "focal length, deviation by the clip alone": float(facts["focal_deviation_by_clip"]),
    }


def constant(found: Array, truth: Array) -> Array:
    """The rotation (3, 3) that, put after each true one, brings them nearest to those found, both (T, 3, 3)."""
    left, _, right = np.linalg.svd(np.einsum("tji,tjk->ik", truth, found))
    return np.asarray(left @ right)


def degrees(a: Array, b: Array) -> float:
    """Mean angle between rotations (T, 3, 3)."""
    cosine = (np.einsum("tij,tij->t", a, b) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def main() -> None:
    """Track, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/synthetic"))
    parser.add_argument("--work", type=Path, help="a work folder, kept; what is done there is not done again")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    consent = nobody("a rendered person", "nobody real is shown")
    request = Request((options.data / "footage.mp4",), "tracking", consent, "CC0-1.0", size=options.size)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        create(request, folder, resume=True, say=lambda line: None if options.json else print(line), until=TRACKED)
        figures: dict[str, Any] = measure(folder, options.data)
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"| {name} | {value:.4g} | {GOALS.get(name, '')} |")


if __name__ == "__main__":
    main()

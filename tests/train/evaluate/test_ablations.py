"""The small trainings, a step or two on made-up material."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.backends.choose import open_engine
from lsp_cam.packets import ProjectedFrame
from lsp_cam.subject import npz_bytes
from lsp_cam.train.evaluate import ablations
from lsp_cam.train.evaluate.mouth import SWEEP_MS
from lsp_cam.train.tracked import Tracked
from tests.bundles import tiny_bundle, tiny_files

from .material import clip, face

CONFIG = ablations.Config(steps=2, mouth_batch=2, mouth_frames=10, head_batch=2, head_frames=4)
KINDS = ablations.HEADS


def lively(frames: int) -> Tracked:
    rng, still = np.random.default_rng(0), clip(frames)
    sway = np.cumsum(rng.normal(0, 0.1, (frames, 3)), axis=0)
    return replace(still, angles=still.angles + sway, translation=still.translation + sway, points=still.points + 0.5)


@pytest.fixture(scope="module")
def lessons() -> ablations.Lessons:
    torch.set_num_threads(1)
    rows = np.random.default_rng(1).normal(size=(2, 400, 1024)).astype(np.float32)
    return ablations.Lessons(rows[0], rows[1], lively(400))


def test_a_mouth_is_trained_and_measured_for_each_look_ahead(lessons: ablations.Lessons, tmp_path: Path) -> None:
    files = {**tiny_files(), "face.npz": npz_bytes(mean_points=face().astype(np.float32))}
    subject = tiny_bundle(tmp_path, files=files)
    none = np.zeros((2, 1), np.int32), np.ones((2, 1), np.float32)
    projected = [ProjectedFrame(k, row.reshape(2, 512), *none) for k, row in enumerate(lessons.projected[:40])]
    rows = list(ablations.sweep(subject, open_engine(threads=1), lessons, projected, clip(40), CONFIG))
    assert [row["look_ahead_ms"] for row in rows] == list(SWEEP_MS)
    # it has learned that points are 0.5 mm along each axis from where they are in the clip that measures
    assert all(0.5 < row["error_mm"]["mean"] < 1.5 for row in rows)


def test_heads_differ_in_what_their_names_say(lessons: ablations.Lessons, tmp_path: Path) -> None:
    subject = tiny_bundle(tmp_path / "plain")
    made = dict(ablations.heads(subject, lessons, CONFIG, tmp_path))
    assert tuple(made) == KINDS == ("likelihood", "no history", "L2 loss")
    assert len({bundle.read("pose.onnx") for bundle in made.values()}) == 3
    for bundle in made.values():
        bundle.verify()
        assert bundle.read("manifold.npz") == subject.read("manifold.npz")


def test_a_head_without_history_hears_speech_alone_and_one_with_l2_has_no_chance(lessons: ablations.Lessons) -> None:
    motion = ablations.pose_fit.motion_of(lessons.clip, lessons.projected[None])
    states = {kind: ablations._head(motion, kind, CONFIG) for kind in KINDS}
    history = {kind: float(state["WaveNet.start_conv1.weight"].abs().sum()) for kind, state in states.items()}
    assert history["no history"] == 0 < min(history["likelihood"], history["L2 loss"])
    sharpness = states["L2 loss"]["WaveNet.end_conv_2.bias"][13:]
    assert float(torch.exp(-sharpness).max()) < 1e-6

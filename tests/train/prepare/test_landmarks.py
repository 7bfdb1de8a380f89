"""Landmarks on the rendered person, against what is known of her."""

from pathlib import Path

import numpy as np
import pytest

from lsp_cam.train.prepare import landmarks
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.filter import odd, parabolic
from lsp_cam.train.prepare.landmarks import first_look, look_four_times, second_look, windows_of
from lsp_cam.train.prepare.mesh import FaceMesh
from lsp_cam.train.prepare.vertices import points_of
from lsp_cam.train.synthetic import rig_index
from tests.train.prepare.clips import FIRST, pictures_of

COUNT = 24


def quiet(share: float) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def frames(shared: Path) -> np.ndarray:
    return pictures_of(shared, COUNT, 256)


def test_landmarks_are_where_the_rig_has_them(frames: np.ndarray, shared: Path, tmp_path: Path) -> None:
    seen = first_look(frames, tmp_path, quiet)
    looked = second_look(frames, windows_of(seen, [Segment(0, COUNT)]), tmp_path, quiet)
    with np.load(shared / "data/synthetic/ground_truth.npz") as truth:
        known = truth["points_2d"][FIRST : FIRST + 2 * COUNT : 2, rig_index()] / 2
    away = points_of(looked)[..., :2] - known
    assert np.linalg.norm(away - away.mean(axis=0), axis=2).mean() < 0.6
    once = points_of(seen)[..., :2] - known
    assert (
        np.linalg.norm(away - away.mean(axis=0), axis=2).mean()
        < np.linalg.norm(once - once.mean(axis=0), axis=2).mean()
    )


def test_what_is_saved_is_not_looked_at_again(
    frames: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landmarks, "BLOCK", 5)
    whole = first_look(frames[:12], tmp_path / "whole", quiet)
    first_look(frames[:10], tmp_path / "part", quiet)
    black = frames[:12].copy()
    black[:10] = 0
    np.testing.assert_array_equal(first_look(black, tmp_path / "part", quiet), whole)


def test_no_face_gives_no_landmarks(frames: np.ndarray, tmp_path: Path) -> None:
    some = frames[:4].copy()
    some[1:3] = 90
    seen = first_look(some, tmp_path, quiet)
    assert np.isfinite(seen[:, 0, 0]).tolist() == [True, False, False, True]
    window = windows_of(seen, [Segment(0, 1)])[0]
    assert np.isnan(look_four_times(FaceMesh(), some[1], window)).all()


def test_the_filter_keeps_a_closure_and_the_ends() -> None:
    rng = np.random.default_rng(0)
    curve = (np.arange(300.0) - 11) ** 2
    noisy = curve + rng.normal(0, 3, 300)
    segments = [Segment(0, 300)]
    np.testing.assert_allclose(parabolic(curve, segments, 5), curve, atol=1e-6)
    assert np.abs(parabolic(noisy, segments, 5) - curve).mean() < 0.8 * np.abs(noisy - curve).mean()
    closing = np.array([4.0, 4, 4, 4, 3, 1, 0, 0, 1, 3, 4, 4, 4, 4])
    assert parabolic(closing, [Segment(0, 14)], 5).min() < 0.3
    assert np.isnan(parabolic(curve, [Segment(0, 10)], 5)[10:]).all()
    assert [odd(0.28 * fps) for fps in (15, 25, 30, 60)] == [5, 7, 9, 17]

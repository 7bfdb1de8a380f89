"""The synthetic person, read into the method's conventions, against its own ground truth."""

from pathlib import Path

import numpy as np
import pytest

from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER, MOUTH_RELATED
from lsp_cam.train.maps import drawn_points, following_shoulders
from lsp_cam.train.mouth_data import clip_displacement
from lsp_cam.train.synthetic import read_mouth_truth, read_tracked, rig_index
from lsp_cam.train.tracked import Tracked, angles_of, pinhole, rotation_of


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "synthetic"


@pytest.fixture(scope="module")
def clip(folder: Path) -> Tracked:
    return read_tracked(folder)


def test_points_and_shoulders_land_where_the_truth_says(folder: Path, clip: Tracked) -> None:
    with np.load(folder / "ground_truth.npz") as truth:
        points, shoulders = truth["points_2d"][:, rig_index()], truth["shoulder_2d"]
    assert np.abs(clip.project(clip.points) - points).max() < 0.1
    assert np.abs(pinhole(clip.shoulders, clip.intrinsics) - shoulders).max() < 0.1


def test_shoulders_that_follow_half_the_head_stay_near_the_true_ones(clip: Tracked) -> None:
    following = pinhole(following_shoulders(clip, clip.translation), clip.intrinsics)
    away = following - pinhole(clip.shoulders, clip.intrinsics)
    assert np.linalg.norm(away, axis=-1).mean() < 0.5


def test_the_head_faces_the_camera_in_the_published_angles(clip: Tracked) -> None:
    assert 170 < clip.angles[:, 0].min() < clip.angles[:, 0].max() < 190
    assert np.abs(clip.angles[:, 1:]).max() < 10
    np.testing.assert_allclose(angles_of(rotation_of(clip.angles)), clip.angles, atol=1e-9)


def test_supervision_and_clip_agree_on_the_order_of_the_mouth(folder: Path, clip: Tracked) -> None:
    truth = read_mouth_truth(folder)
    moved = clip_displacement(clip)
    rebuilt = truth.basis.T @ np.linalg.lstsq(truth.basis.T, moved.T, rcond=None)[0]
    assert np.abs(rebuilt.T - moved).max() < 0.2  # what one spans, the other does
    wrong = moved.reshape(-1, 25, 3)[:, ::-1].reshape(-1, 75)
    assert np.abs(truth.basis.T @ np.linalg.lstsq(truth.basis.T, wrong.T, rcond=None)[0] - wrong.T).max() > 1


def test_points_are_where_their_names_say(clip: Tracked) -> None:
    mean = clip.points.mean(axis=0)
    across, up, towards = mean.T
    assert (np.diff(across[:15]) > 0).all()  # contour, right ear to left ear, as seen in the picture
    assert up[7] == up[:15].min()
    assert up[28] > up[30]
    assert up[32] > up[34]
    assert (up[list(LIPS_INNER_UPPER)] > up[list(LIPS_INNER_LOWER)]).all()
    assert towards[64] > towards[:15].max()
    assert len(MOUTH_RELATED) == 25


def test_another_rate_keeps_the_instants(clip: Tracked) -> None:
    twice = clip.at_rate(60)
    assert len(twice.points) == 2 * len(clip.points)
    between = (twice.translation[1::2][:-1] + twice.translation[2::2]) / 2
    np.testing.assert_allclose(between, (clip.translation[:-1] + clip.translation[1:]) / 2, atol=0.2)


def test_drawn_points_never_cross_at_all_three_pairs(clip: Tracked) -> None:
    points = drawn_points(clip)
    overlap = points[:, LIPS_INNER_LOWER, 1] - points[:, LIPS_INNER_UPPER, 1]
    assert not (overlap > 1e-6).all(axis=1).any()
    assert np.ptp(points[:, 7], axis=0).max() == 0  # the chin of the drawn face does not move

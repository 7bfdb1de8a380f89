"""Camera and face, from vertices of which everything is known."""

import numpy as np
import pytest

from lsp_cam.train.prepare.camera import find_camera
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.face import filtered, joined, lift, neck, track_face
from lsp_cam.train.prepare.rigid import FACING, Lens, Poses, first_poses, fit_poses, placed, seen, turns
from lsp_cam.train.prepare.shape import mean_shape
from lsp_cam.train.prepare.vertices import KEPT, LEFT, MIDDLE, RIGHT, TWIN, place, points_of
from lsp_cam.train.tracked import rotation_of

LENS = Lens(700.0, np.array([128.0, 120.0]))


def head() -> np.ndarray:
    """A head (V, 3) in mm: half an ellipsoid, mirror-symmetric, pupils 63 mm apart, ears and eye sockets level."""
    rng = np.random.default_rng(0)
    right = np.array([-70, -90, 0]) + rng.random((len(RIGHT), 3)) * [65, 160, 0]
    middle = np.array([0, -90, 0]) + rng.random((len(MIDDLE), 3)) * [0, 160, 0]
    right[RIGHT.index(468)] = -31.5, 30, 0
    right[RIGHT.index(33)] = -45, 30, 0
    right[RIGHT.index(119)], right[RIGHT.index(234)] = (-30, 10, 0), (-69, 10, 0)
    middle[MIDDLE.index(152)] = 0, -90, 0
    shape = np.concatenate([right, right * (-1, 1, 1), middle])
    shape[:, 2] = 60 * np.sqrt(np.clip(1 - (shape[:, 0] / 72) ** 2 - (shape[:, 1] / 130) ** 2, 0, 1))
    return shape


def motion(frames: int = 90, turn_rad: float = 0.21) -> Poses:
    """A head that turns to both sides, nods a little and moves about."""
    when = np.linspace(0, 2 * np.pi, frames)
    turned = np.stack([0.08 * np.sin(1.7 * when), turn_rad * np.sin(when), 0.05 * np.cos(when)], axis=1)
    where = np.stack([20 * np.sin(when), 8 * np.cos(1.3 * when), 600 + 15 * np.sin(0.7 * when)], axis=1)
    return Poses(turns(turned) @ FACING, where)


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    trace = np.einsum("tij,tij->t", a, b)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def test_twins_mirror_each_other() -> None:
    assert (TWIN[TWIN] == np.arange(len(KEPT))).all()
    assert all(KEPT[TWIN[place(right)]] == left for right, left in zip(RIGHT, LEFT, strict=True))
    assert points_of(np.ones((len(KEPT), 2))).tolist() == [[1, 1]] * 73


def test_poses_are_found_again() -> None:
    shape, true = head(), motion()
    pixels = seen(placed(true, shape), LENS)
    pixels[:, place(152)] += 25  # one point is somewhere else altogether
    found = fit_poses(pixels, shape, LENS, np.ones(len(shape)), first_poses(pixels, shape, LENS), rounds=15)
    assert degrees_between(found.rotation, true.rotation).max() < 0.05
    np.testing.assert_allclose(found.translation, true.translation, atol=0.5)


def test_a_shape_is_found_upright_whatever_way_the_head_was_held() -> None:
    shape, poses = head(), motion()
    meshes = placed(poses, shape) - poses.translation[:, None]  # as a mesh network sees it: without perspective
    found = mean_shape(meshes * 1.7)
    truth = shape - shape.mean(axis=0)
    np.testing.assert_allclose(found - found.mean(axis=0), truth, atol=0.3)


def test_the_focal_length_is_found_and_its_surety_grows_with_movement() -> None:
    shape, poses = head(), motion(60, 0.6)
    lens = Lens(LENS.focal * 1000 / 600 * 1.25, LENS.centre)  # a quarter longer than heads at a metre would have it
    away = Poses(poses.rotation, poses.translation * (1, 1, 1250 / 600))
    still = Poses(turns(np.zeros((60, 3))) @ FACING, away.translation)
    found = find_camera(seen(placed(away, shape), lens), shape, lens.centre)
    unsure = find_camera(seen(placed(still, shape), lens), shape, lens.centre)
    assert found.lens.focal == pytest.approx(lens.focal, rel=0.15)
    assert found.clip_deviation < unsure.clip_deviation
    assert found.deviation < unsure.deviation <= 0.31


def test_points_lie_where_they_were_seen_and_the_pose_is_the_true_one() -> None:
    shape, true = head(), motion()
    pixels = seen(placed(true, shape), LENS)
    found = track_face(pixels, shape, LENS, [Segment(0, 90)], 25.0)
    camera = np.einsum("tij,tpj->tpi", rotation_of(found.angles), found.points) + found.translation[:, None]
    np.testing.assert_allclose(seen(camera, LENS), points_of(pixels), atol=1e-6)
    assert degrees_between(rotation_of(found.angles), true.rotation).mean() < 0.3
    assert found.reprojection.mean() < 0.5


def test_the_chin_goes_back_as_it_goes_down() -> None:
    shape = head()
    still = Poses(FACING[None], np.array([[0.0, 0, 600]]))
    pixels = points_of(seen(placed(still, shape), LENS))
    mean = points_of(shape)
    ears = shape[[place(234), place(454)]].mean(axis=0) - (0, 0, 60)
    pixels[:, 7] += (0, 10)
    moved = lift(pixels, mean, ears, still, LENS)[0]
    assert moved[7, 1] < mean[7, 1] - 3
    assert moved[7, 2] < mean[7, 2] - 3
    np.testing.assert_allclose(np.delete(moved, 7, axis=0), np.delete(mean, 7, axis=0), atol=1.5)


def test_a_filter_does_not_reach_across_a_cut() -> None:
    jump = Poses(np.repeat(FACING[None], 20, axis=0), np.repeat([[0.0, 0, 600], [50.0, 0, 600]], 10, axis=0))
    kept = filtered(jump, [Segment(0, 10), Segment(10, 20)], 7)
    np.testing.assert_allclose(kept.translation, jump.translation, atol=1e-9)
    assert np.abs(filtered(jump, [Segment(0, 20)], 7).translation - jump.translation).max() > 5


def test_the_neck_is_what_moves_least() -> None:
    joint, poses = np.array([0.0, -100, -30]), motion()
    about = Poses(poses.rotation, np.array([0, 0, 600.0]) - poses.rotation @ joint)
    found = neck(about, joint + np.array([0, 15, 10]))
    assert np.linalg.norm(found - joint) < np.linalg.norm([0, 15, 10]) / 2


def test_segments_are_laid_end_to_end() -> None:
    numbers, laid = joined([Segment(2, 5), Segment(8, 10)])
    assert numbers.tolist() == [2, 3, 4, 8, 9]
    assert laid == [Segment(0, 3), Segment(3, 5)]

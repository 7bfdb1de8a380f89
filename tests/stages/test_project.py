"""Projection: the reference pixels, the signs of the pose, and nothing that is not finite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lsp_cam.packets import FaceFrame
from lsp_cam.stages.project import FARTHEST_PX, Camera, ProjectConfig, ProjectStage, rotation
from lsp_cam.stream import run_offline

CAMERA = Camera(
    np.array([[1000, 0, 256], [0, 1000, 256], [0, 0, 1]], np.float32),
    100.0,
    np.repeat([[0.0, 100.0, 1000.0]], 18, axis=0),
    np.array([0, 0, 1000], np.float32),
)


def test_pixels_are_the_published_ones(case: Any, reference_bundle: Any) -> None:
    stage = ProjectStage.from_subject(reference_bundle(case.name))
    given = [
        FaceFrame(i, p, h)
        for i, (p, h) in enumerate(zip(case.expected["pts3d"], case.expected["headpose"], strict=True))
    ]
    got = list(run_offline(stage, given))
    np.testing.assert_allclose(np.stack([f.points for f in got]), case.expected["landmarks"], atol=1e-3)
    np.testing.assert_allclose(np.stack([f.shoulders for f in got]), case.expected["shoulders"], atol=1e-3)


def test_the_rotation_is_z_times_y_times_x() -> None:
    x, y, z = np.deg2rad([20.0, -35.0, 110.0])
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    wanted = np.array(about_z) @ np.array(about_y) @ np.array(about_x)
    np.testing.assert_allclose(rotation(np.array([20.0, -35.0, 110.0])), wanted, atol=1e-6)


def test_shoulders_follow_the_head_by_their_share_and_are_moved_for_padding() -> None:
    stage = ProjectStage(ProjectConfig(shoulder_amplify=0.5, shoulder_offset_px=(7, -3)), CAMERA)
    pose = np.array([180, 0, 0, 20, 0, 1000], np.float32)
    got = stage.step(FaceFrame(0, np.zeros((73, 3), np.float32), pose), None)[0][0]
    np.testing.assert_allclose(got.points, [[276, 256]] * 73, atol=1e-3)
    np.testing.assert_allclose(got.shoulders, [[256 + 10 + 7, 356 - 3]] * 18, atol=1e-3)


@pytest.mark.parametrize("depth", [0.0, -500.0, np.nan, np.inf, -np.inf, 1e-30, 3e38])
def test_whatever_the_pose_pixels_are_finite(depth: float) -> None:
    stage = ProjectStage(ProjectConfig(), CAMERA)
    points = np.random.default_rng(1).normal(size=(73, 3)).astype(np.float32)
    with np.errstate(all="raise"):
        got = stage.step(FaceFrame(0, points, np.array([180, 0, 0, 0, 0, depth], np.float32)), None)[0][0]
    for pixels in (got.points, got.shoulders):
        assert np.isfinite(pixels).all()
        assert np.abs(pixels).max() <= FARTHEST_PX
        assert pixels.dtype == np.float32


def test_an_offset_moves_shoulders_alone() -> None:
    face = FaceFrame(0, np.zeros((73, 3), np.float32), np.array([180, 0, 0, 0, 0, 1000], np.float32))
    plain = ProjectStage(ProjectConfig(), CAMERA).step(face, None)[0][0]
    moved = ProjectStage(replace(ProjectConfig(), shoulder_offset_px=(1, 2)), CAMERA).step(face, None)[0][0]
    np.testing.assert_array_equal(plain.points, moved.points)
    np.testing.assert_allclose(moved.shoulders - plain.shoulders, [[1, 2]] * 18)


def test_the_manner_says_how_far_shoulders_follow() -> None:
    stage, points = ProjectStage(ProjectConfig(shoulder_amplify=0.5), CAMERA), np.zeros((73, 3), np.float32)
    pose = np.array([180, 0, 0, 10, 0, 1000], np.float32)
    still, usual, far = (
        stage.step(FaceFrame(0, points, pose, shoulders), None)[0][0].shoulders[0, 0] for shoulders in (0.0, 1.0, 2.0)
    )
    assert usual > still
    assert far - still == pytest.approx(2 * (usual - still), abs=1e-3)

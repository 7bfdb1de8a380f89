"""Table 2, by hand: a face 140 mm wide, a metre from a camera that makes a pixel of a millimetre."""

from __future__ import annotations

import numpy as np
import pytest

from lsp_cam.train.evaluate.head import Moving, Ruler, angles_between

from .material import clip, face


@pytest.fixture
def ruler() -> Ruler:
    return Ruler(face(), np.array([180.0, 0, 0, 0, 0, 1000]), clip().intrinsics)


def moving(poses: object) -> Moving:
    given = np.array(poses, float)
    return Moving(np.repeat(face()[None], len(given), axis=0), given)


def test_a_head_beside_the_true_one(ruler: Ruler) -> None:
    truth = moving([[180, 0, 0, 0, 0, 1000]] * 3)
    found = ruler.differences(moving([[180, 0, 0, 14, 0, 1000]] * 3), truth)
    assert found["d_pos_percent"] == pytest.approx(10)
    assert found["d_l_space_percent"] == pytest.approx(10)
    assert found["d_l_percent"] == pytest.approx(10, rel=0.1)  # nearer points move by more pixels
    assert found["d_v_percent"] == pytest.approx(0, abs=1e-9)
    assert found["d_rot_deg"] == pytest.approx(0, abs=1e-4)


def test_depth_is_hardly_seen_in_the_picture(ruler: Ruler) -> None:
    found = ruler.differences(moving([[180, 0, 0, 0, 0, 1014]] * 2), moving([[180, 0, 0, 0, 0, 1000]] * 2))
    assert found["d_pos_percent"] == pytest.approx(10)
    assert found["d_l_space_percent"] == pytest.approx(10)
    assert found["d_l_percent"] < 1


def test_velocity_is_from_frame_to_frame(ruler: Ruler) -> None:
    truth = moving([[180, 0, 0, 0, 0, 1000]] * 3)
    found = ruler.differences(moving([[180, 0, 0, x, 0, 1000] for x in (0, 1.4, 0)]), truth)
    assert found["d_v_percent"] == pytest.approx(1, rel=0.1)


def test_rotations_differ_by_the_angle_between_them() -> None:
    truth = np.array([[180.0, 0, 0], [179, 10, 0], [180, 0, 0]])
    ours = np.array([[180.0, 0, 7], [179, -10, 0], [180, 0, 0]])
    np.testing.assert_allclose(angles_between(ours, truth), [7, 20, 0], atol=1e-5)

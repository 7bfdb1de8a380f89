"""The mouth of a subject who is silent."""

from __future__ import annotations

import numpy as np
import pytest

from lsp_cam.train.closed_mouth import closed_mouth

UPPER, LOWER, OUTER_UPPER, OUTER_LOWER = [63, 62, 61], [58, 59, 60], list(range(47, 52)), list(range(53, 58))


@pytest.mark.parametrize("smallest", [-0.04, 0.02])
def test_inner_lips_touch_and_the_outer_ones_follow(smallest: float) -> None:
    frames = 100
    clip = np.zeros((frames, 73, 3))
    gaps = np.linspace(0.5, smallest, frames)[:, None]
    clip[:, UPPER, 1], clip[:, LOWER, 1] = gaps / 2, -gaps / 2
    clip[:, OUTER_UPPER, 1], clip[:, OUTER_LOWER, 1] = gaps / 2 + 0.3, -gaps / 2 - 0.3
    mean = clip.mean(axis=0) + np.array([1, 2, 3])
    got = dict(zip(range(46, 64), closed_mouth(clip, mean), strict=True))
    for upper, lower in zip(UPPER, LOWER, strict=True):
        np.testing.assert_allclose(got[upper], got[lower])
        np.testing.assert_allclose(got[upper], [1, 2, 3], atol=1e-9)
    for point in OUTER_UPPER:
        np.testing.assert_allclose(got[point], [1, 2.3, 3], atol=1e-9)
    for point in OUTER_LOWER:
        np.testing.assert_allclose(got[point], [1, 1.7, 3], atol=1e-9)


def test_one_frame_is_enough() -> None:
    clip = np.random.default_rng(1).normal(size=(1, 73, 3))
    assert np.isfinite(closed_mouth(clip, clip[0])).all()


def test_tracking_noise_of_single_frames_does_not_show() -> None:
    rng = np.random.default_rng(1)
    clip = np.zeros((2000, 73, 3))
    gaps = rng.uniform(0, 0.5, (2000, 1))
    clip[:, UPPER, 1], clip[:, LOWER, 1] = gaps / 2, -gaps / 2
    noise = rng.normal(0, 0.03, clip.shape)
    quiet, noisy = closed_mouth(clip, clip.mean(axis=0)), closed_mouth(clip + noise, clip.mean(axis=0))
    assert np.abs(noisy - quiet).max() < 0.015

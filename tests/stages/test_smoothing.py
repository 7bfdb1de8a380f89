"""Smoothing over time: scipy's numbers for a clip, and a stated lag for a stream."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from lsp_cam.stages.smoothing import StreamGaussian, smooth_clip


@pytest.mark.parametrize("sigma", [0.3, 1.0, 1.5, 2.0, 5.0, 10.0])
@pytest.mark.parametrize("frames", [1, 2, 7, 165])
def test_a_clip_is_smoothed_as_scipy_does(sigma: float, frames: int) -> None:
    clip = np.random.default_rng(1).normal(size=(frames, 4))
    np.testing.assert_allclose(smooth_clip(clip, sigma), gaussian_filter1d(clip, sigma, axis=0), atol=1e-12)


def test_sigma_zero_changes_nothing_and_copies() -> None:
    clip = np.random.default_rng(1).normal(size=(5, 2))
    out = smooth_clip(clip, 0)
    np.testing.assert_array_equal(out, clip)
    assert not np.shares_memory(out, clip)


@pytest.mark.parametrize("look_ahead", [0, 3])
@pytest.mark.parametrize("sigma", [0.0, 1.5, 10.0])
def test_the_stated_lag_is_how_far_a_ramp_trails(sigma: float, look_ahead: int) -> None:
    gaussian = StreamGaussian([sigma], look_ahead)
    window = gaussian.begin(np.zeros(1))
    for frame in range(200):
        window = gaussian.push(window, np.array([float(frame)]))
    trails = (199 - look_ahead) - gaussian.smooth(window)[0]
    assert trails == pytest.approx(gaussian.lag_frames[0], abs=1e-9)


def test_enough_look_ahead_gives_the_clips_numbers() -> None:
    clip = np.random.default_rng(2).normal(size=(80, 1))
    gaussian = StreamGaussian([2.0], 8)
    window = gaussian.begin(clip[0])
    got = []
    for value in clip:
        window = gaussian.push(window, value)
        got.append(gaussian.smooth(window))
    np.testing.assert_allclose(np.array(got)[30:], smooth_clip(clip, 2.0)[22:72], atol=1e-12)


def test_each_column_has_its_own_sigma() -> None:
    gaussian = StreamGaussian([0.0, 4.0])
    window = gaussian.push(gaussian.begin(np.zeros(2)), np.ones(2))
    got = gaussian.smooth(window)
    assert got[0] == 1
    assert 0 < got[1] < 0.5

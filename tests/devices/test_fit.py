from __future__ import annotations

import numpy as np
import pytest

from lsp_cam.devices.fit import Fitter, even
from lsp_cam.errors import DeviceError

from .media import picture


def test_the_same_size_is_the_same_picture() -> None:
    frame = picture(0)
    assert Fitter(64, 64).fit(frame) is frame


def test_even() -> None:
    assert [even(n) for n in (1, 2, 3, 720, 721)] == [2, 2, 2, 720, 720]


def test_a_square_portrait_in_a_wide_frame_keeps_every_pixel_between_darker_sides() -> None:
    portrait = np.full((72, 72, 3), 200, np.uint8)
    portrait[::9] = (10, 120, 240)
    wide = Fitter(128, 72).fit(portrait)
    assert wide.shape == (72, 128, 3)
    assert np.array_equal(wide[:, 28:100], portrait)
    for side in (wide[:, :28], wide[:, 100:]):
        assert 0.3 < side.mean() / portrait.mean() < 0.6
        assert np.abs(np.diff(side.astype(int), axis=0)).max() < 30  # blurred


def test_a_wide_picture_in_a_tall_frame() -> None:
    frame = np.full((90, 160, 3), 100, np.uint8)
    tall = Fitter(160, 200).fit(frame)
    assert np.array_equal(tall[55:145], frame)
    assert 30 < tall[:55].mean() < 60
    assert 30 < tall[145:].mean() < 60


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (720, 1280), (1920, 1080), (32, 32), (200, 2), (3, 501)])
def test_any_size(size: tuple[int, int]) -> None:
    width, height = size
    fitted = Fitter(width, height).fit(picture(0, 512))
    assert fitted.shape == (height, width, 3)
    assert fitted.dtype == np.uint8


def test_scaling_keeps_the_colours() -> None:
    frame = np.zeros((512, 512, 3), np.uint8)
    frame[:] = (200, 100, 50)
    assert np.array_equal(Fitter(128, 128).fit(frame)[64, 64], (200, 100, 50))
    assert np.array_equal(Fitter(720, 720).fit(frame)[0, 719], (200, 100, 50))


def test_a_reused_frame_shows_nothing_of_the_last_picture() -> None:
    fitter = Fitter(128, 72)
    fitter.fit(np.full((72, 72, 3), 255, np.uint8))
    assert not fitter.fit(np.zeros((72, 72, 3), np.uint8)).any()
    assert not Fitter(128, 72).fit(np.zeros((500, 300, 3), np.uint8)).any()


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_picture_is_refused(frame: np.ndarray) -> None:
    with pytest.raises(DeviceError, match=r"\(H, W, 3\) uint8"):
        Fitter(64, 64).fit(frame)


@pytest.mark.parametrize("size", [(0, 64), (64, -2), (64, 100_000)])
def test_what_is_no_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DeviceError, match="not possible"):
        Fitter(*size)

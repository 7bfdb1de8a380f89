from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lsp_cam.devices.backdrop import backdrop_of
from lsp_cam.devices.fit import Fitter, even
from lsp_cam.errors import DeviceError, UsageError

from .media import picture


def test_the_same_size_is_the_same_picture() -> None:
    frame = picture(0)
    assert Fitter(64, 64).fit(frame) is frame


def test_even() -> None:
    assert [even(n) for n in (1, 2, 3, 720, 721)] == [2, 2, 2, 720, 720]


def test_a_square_portrait_in_a_wide_frame_goes_on_in_its_sides_which_are_blurred_and_darker_outwards() -> None:
    portrait = np.full((72, 72, 3), 200, np.uint8)
    portrait[::9] = (10, 120, 240)
    wide = Fitter(128, 72).fit(portrait)
    assert wide.shape == (72, 128, 3)
    assert np.array_equal(wide[:, 32:96], portrait[:, 4:68]), "but for the seam, the picture is whole"
    for side in (wide[:, :28], wide[:, 100:][:, ::-1]):
        assert np.abs(np.diff(side.astype(int), axis=0)).max() < 30, "blurred"
        assert side[:, -1].mean() == pytest.approx(portrait.mean(), rel=0.03), "at the seam as light as the picture"
        assert side[:, 0].mean() == pytest.approx(0.7 * portrait.mean(), rel=0.05)
        assert np.all(np.diff(side.mean(axis=(0, 2))) >= 0)


def test_the_sides_have_the_colours_of_the_edges() -> None:
    portrait = np.zeros((72, 72, 3), np.uint8)
    portrait[:, :36] = (200, 0, 0)
    portrait[:, 36:] = (0, 0, 200)
    wide = Fitter(128, 72).fit(portrait)
    assert wide[:, :28, 2].max() == 0
    assert wide[:, 100:, 0].max() == 0
    tall = Fitter(72, 128).fit(portrait.transpose(1, 0, 2))
    assert np.array_equal(tall, wide.transpose(1, 0, 2))


def test_a_wide_picture_in_a_tall_frame() -> None:
    frame = np.full((90, 160, 3), 100, np.uint8)
    tall = Fitter(160, 200).fit(frame)
    assert np.array_equal(tall[60:140], frame[5:85])
    assert 70 <= tall[0].min() <= tall[54].max() <= 100
    assert 70 <= tall[199].min() <= tall[145].max() <= 100


def test_a_colour_and_a_chosen_picture(tmp_path: Path) -> None:
    portrait = np.full((72, 72, 3), 200, np.uint8)
    wide = Fitter(128, 72, backdrop_of("#102030")).fit(portrait)
    assert np.array_equal(wide[:, 28:100], portrait)
    assert np.array_equal(np.unique(wide[:, :28].reshape(-1, 3), axis=0), [(16, 32, 48)])
    assert np.array_equal(wide[:, :28], wide[:, 100:])
    rows = np.zeros((720, 900, 3), np.uint8)
    rows[:, :, 0] = np.arange(900) // 4
    cv2.imwrite(str(tmp_path / "room.png"), rows[..., ::-1])
    covered = Fitter(128, 72, backdrop_of(str(tmp_path / "room.png"))).fit(portrait)
    assert np.array_equal(covered[:, 28:100], portrait)
    assert covered[0, 0, 0] < 4, "a flatter frame: cut above and below, not at the sides"
    assert covered[71, 127, 0] > 220


def test_what_cannot_fill(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.png.*cannot be read.*--fill takes blur, a colour like"):
        backdrop_of(str(tmp_path / "nowhere.png"))
    for content in (b"", b"text"):
        (tmp_path / "text.png").write_bytes(content)
        with pytest.raises(UsageError, match="is not a picture"):
            backdrop_of(str(tmp_path / "text.png"))


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
    fitter.fit(np.full((60, 128, 3), 255, np.uint8))
    assert not fitter.fit(np.zeros((72, 72, 3), np.uint8)).any(), "nor when the free places are others"
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

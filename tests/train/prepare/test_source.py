"""Video files of all kinds become upright pictures at even times, with their sound."""

from pathlib import Path

import av
import numpy as np
import pytest

from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.train.prepare import source
from lsp_cam.train.prepare.source import look, pictures, sound
from tests.train.prepare.clips import FPS, laid_down, write_video

SECOND = np.zeros(SAMPLE_RATE_HZ, np.int16)


def levels(count: int, height: int = 64, width: int = 96) -> np.ndarray:
    """Pictures (count, height, width, 3), each of one grey level, 10 apart; the top left quarter is white."""
    shown = np.repeat(np.arange(count, dtype=np.uint8)[:, None, None, None] * 10, 3, axis=3)
    shown = np.ascontiguousarray(np.broadcast_to(shown, (count, height, width, 3)))
    shown[:, : height // 2, : width // 2] = 255
    return shown


def shown_levels(path: Path, fps: float) -> list[int]:
    """The grey level, in tens, of every picture, read where it is not white."""
    return [round(float(picture[-8:, -8:].mean()) / 10) for picture in pictures(look(path), fps)]


def test_an_even_file_gives_its_own_pictures(tmp_path: Path) -> None:
    path = write_video(tmp_path / "even.mp4", levels(15), SECOND)
    video = look(path)
    assert (video.width, video.height, video.fps, video.uneven, video.turned_deg) == (96, 64, FPS, False, 0)
    assert video.picture_s == pytest.approx(1.0)
    assert shown_levels(path, FPS) == list(range(15))


def test_pictures_can_begin_anywhere(tmp_path: Path) -> None:
    video = look(write_video(tmp_path / "even.mp4", levels(15), SECOND))
    whole = list(pictures(video, FPS))
    part = list(pictures(video, FPS, first=6))
    np.testing.assert_array_equal(part, whole[6:])


def test_a_file_of_variable_rate_becomes_even(tmp_path: Path) -> None:
    ticks = [0, 1, 2, 6, 7, 8, 9, 14]  # picture 2 stays for four ticks, picture 6 for five
    path = write_video(tmp_path / "uneven.mp4", levels(8), SECOND, ticks)
    video = look(path)
    assert video.uneven
    assert shown_levels(path, FPS)[:14] == [0, 1, 2, 2, 2, 2, 3, 4, 5, 6, 6, 6, 6, 6]


def test_a_phone_video_stands_upright(tmp_path: Path) -> None:
    video = look(laid_down(write_video(tmp_path / "phone.mp4", levels(3), SECOND)))
    assert (video.width, video.height) == (64, 96)
    assert video.turned_deg != 0
    picture = next(pictures(video, FPS))
    assert picture.shape == (96, 64, 3)
    # what was at the top left goes to the top right when the picture is turned clockwise
    assert picture[:40, 40:].mean() > 200
    assert picture[:40, :24].mean() < 100


def test_sound_is_cut_where_it_is_asked_to(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", levels(8), np.zeros(2 * SAMPLE_RATE_HZ, np.int16))
    video = look(path)
    assert video.sound_s > video.picture_s + 1
    assert video.frames(FPS) == 8
    assert len(sound(video, 0.5)) == SAMPLE_RATE_HZ // 2


def test_what_is_no_video_with_sound_is_refused(tmp_path: Path) -> None:
    silent = write_video(tmp_path / "silent.mp4", levels(4), None)
    with pytest.raises(UsageError, match=r"silent\.mp4 has no sound"):
        look(silent)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UsageError, match="cannot be opened as a video"):
        look(tmp_path / "text.mp4")


def test_a_video_that_turns_out_to_be_damaged_is_told(tmp_path: Path) -> None:
    """What decoders make good cannot be foreseen, so the fault is raised here."""
    path = write_video(tmp_path / "torn.mp4", levels(4), SECOND)
    with pytest.raises(UsageError, match=r"torn\.mp4 is damaged \(no packet\)"), source._opened(path):
        raise av.error.InvalidDataError(1, "no packet", str(path))

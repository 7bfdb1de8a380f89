"""What the small trainings learn from: sound and tracked clip in time with each other."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lsp_cam.devices.videofile import VideoFileSink
from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.train.evaluate.footage import check_whole
from lsp_cam.train.evaluate.lesson import read_lesson
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.timeline import Timeline
from lsp_cam.train.tracked import save_tracked

from .material import clip

FPS, SECONDS = 25, 60
LOST = range(600, 625)  # a hand, for a second


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The work folder of a creation; each sample of its sound is the number of the picture beside it."""
    levels = np.repeat(np.arange(FPS * SECONDS, dtype="<i2"), SAMPLE_RATE_HZ // FPS)
    with wave.open(str(tmp_path / "audio.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes(levels.tobytes())
    kept = np.setdiff1d(np.arange(FPS * SECONDS), LOST)
    tracked = clip(len(kept), FPS)
    tracked.translation[:, 0] = kept
    save_tracked(tmp_path / "tracked.npz", tracked)
    Timeline(kept, [Segment(0, LOST.start), Segment(LOST.start, len(kept))]).save(tmp_path / "timeline.npz")
    return tmp_path


def test_where_pictures_were_left_out_sound_and_clip_are_still_in_time(work: Path) -> None:
    lesson = read_lesson(work, Path("elsewhere/video.mp4"), 0.0)
    numbers = lesson.clip.translation[:, 0]
    assert (numbers[0], numbers[-1]) == (LOST.stop, FPS * SECONDS - 1), "the longer part"
    heard = np.round(lesson.samples * 32768).reshape(-1, SAMPLE_RATE_HZ // FPS)
    np.testing.assert_array_equal(heard[:, 0], numbers)


@pytest.mark.parametrize(
    ("numbers", "whole"),
    [
        (np.setdiff1d(np.arange(FPS * SECONDS), LOST), False),
        (np.arange(5, FPS * SECONDS), False),
        (np.arange(FPS * SECONDS), True),
    ],
    ids=["a gap", "a late beginning", "a cut that loses nothing"],
)
def test_a_clip_that_lacks_pictures_is_not_laid_beside_its_video(
    tmp_path: Path, numbers: NDArray[np.int64], whole: bool
) -> None:
    halves = [Segment(0, LOST.start), Segment(LOST.start, len(numbers))]
    Timeline(numbers, halves if whole else halves[:1]).save(tmp_path / "timeline.npz")
    if whole:
        check_whole(tmp_path / "tracked.npz")
        return
    with pytest.raises(UsageError, match=r"lacks pictures of its video.*Leave --tracked out"):
        check_whole(tmp_path / "tracked.npz")


def test_of_the_measured_videos_own_folder_only_what_is_before_it_is_learned_from(work: Path) -> None:
    lesson = read_lesson(work, work / "video.mp4", 50.0)
    assert lesson.clip.translation[-1, 0] == 50 * FPS - 1
    assert len(lesson.samples) == len(lesson.clip.points) * SAMPLE_RATE_HZ // FPS


def test_a_film_gives_the_pictures_where_all_of_them_were_tracked(work: Path) -> None:
    with VideoFileSink(work / "footage.mp4") as sink:
        sink.open(16, 16, FPS)
        for number in range(FPS * SECONDS):
            sink.send(np.full((16, 16, 3), number // 6, np.uint8))
    with pytest.raises(UsageError, match="does not hold the pictures"):
        read_lesson(work, Path("elsewhere/video.mp4"), 0.0, size=16)  # which of them were is in the timeline
    (work / "timeline.npz").unlink()
    save_tracked(work / "tracked.npz", clip(FPS * SECONDS, FPS))
    lesson = read_lesson(work, Path("elsewhere/video.mp4"), 0.0, size=16)
    assert lesson.frames is not None
    np.testing.assert_allclose(lesson.frames.mean(axis=(1, 2, 3)), np.arange(FPS * SECONDS) // 6, atol=6)
    with pytest.raises(UsageError, match="32 pixels wide"):
        read_lesson(work, Path("elsewhere/video.mp4"), 0.0, size=32)


def test_its_pictures_are_those_of_its_clip(work: Path) -> None:
    kept = np.setdiff1d(np.arange(FPS * SECONDS), LOST)
    shown = np.broadcast_to((kept % 256).astype(np.uint8)[:, None, None, None], (len(kept), 2, 2, 3))
    (work / "kept.rgb").write_bytes(shown.tobytes())
    lesson = read_lesson(work, Path("elsewhere/video.mp4"), 0.0, size=2)
    assert lesson.frames is not None
    np.testing.assert_array_equal(lesson.frames[:, 0, 0, 0], lesson.clip.translation[:, 0] % 256)
    assert lesson.frames.shape == (len(lesson.clip.points), 2, 2, 3)


@pytest.mark.parametrize("size", [None, 4], ids=["none asked for", "of another size"])
def test_pictures_that_are_not_there(work: Path, size: int | None) -> None:
    (work / "kept.rgb").write_bytes(bytes((FPS * SECONDS - len(LOST)) * 2 * 2 * 3))
    if size is None:
        assert read_lesson(work, Path("elsewhere/video.mp4"), 0.0).frames is None
        return
    with pytest.raises(UsageError, match=r"does not hold the pictures .* 4 pixels wide"):
        read_lesson(work, Path("elsewhere/video.mp4"), 0.0, size)

"""The test pattern is read back as it was made, whatever a camera or a JPEG does to it."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from lsp_cam.packets import SAMPLE_RATE_HZ, UInt8
from lsp_cam.selftest.back import Eye
from lsp_cam.selftest.pattern import clicks, is_flash, onsets, picture, read_picture


@pytest.mark.parametrize("size", [(1280, 720), (640, 480), (512, 512), (320, 180), (1920, 1080)])
@pytest.mark.parametrize("number", [0, 1, 29, 30, 12345, 65535])
def test_a_picture_tells_its_number(size: tuple[int, int], number: int) -> None:
    made = picture(number, *size, 30)
    assert made.shape == (size[1], size[0], 3)
    assert read_picture(made) == (number, is_flash(number, 30))


def test_a_picture_that_was_encoded() -> None:
    _, data = cv2.imencode(".jpg", picture(4715, 640, 480, 30), [cv2.IMWRITE_JPEG_QUALITY, 50])
    assert read_picture(cv2.imdecode(data, cv2.IMREAD_COLOR)) == (4715, False)
    _, data = cv2.imencode(".jpg", picture(4715, 1280, 720, 30), [cv2.IMWRITE_JPEG_QUALITY, 50])
    smaller = cv2.resize(cv2.imdecode(data, cv2.IMREAD_COLOR), (640, 360), interpolation=cv2.INTER_AREA)
    assert read_picture(smaller) == (4715, False)


def test_another_picture_is_none_of_ours() -> None:
    assert read_picture(np.full((480, 640, 3), 128, np.uint8)) is None
    assert read_picture(np.full((480, 640, 3), 255, np.uint8)) is None


def test_it_flashes_once_a_second() -> None:
    flashing = [number for number in range(60) if is_flash(number, 30)]
    assert flashing == [0, 1, 2, 30, 31, 32]
    assert is_flash(0, 5)
    assert not is_flash(1, 5)


def test_clicks_are_found_where_they_begin() -> None:
    blocks = [clicks(first, 160, SAMPLE_RATE_HZ) for first in range(8000, 8000 + 3 * SAMPLE_RATE_HZ, 160)]
    noise = np.random.default_rng(0).normal(0, 0.01, 3 * SAMPLE_RATE_HZ).astype(np.float32)
    found = onsets(np.concatenate(blocks) + noise)
    assert found == pytest.approx([8000, 24000, 40000], abs=8)
    assert onsets(noise) == []
    assert onsets(np.zeros(0, np.float32)) == []


def test_the_eye_notes_each_picture_once() -> None:
    seventh, thirtieth = (picture(number, 640, 480, 30) for number in (7, 30))
    shown: Iterator[UInt8 | None] = iter([seventh, seventh, None, thirtieth])

    def look() -> UInt8 | None:
        frame = next(shown, "over")
        if isinstance(frame, str):
            eye.over.set()
            return None
        return frame

    eye = Eye(look)
    eye.start()
    eye.join(20)
    assert set(eye.seen_s) == {7, 30}
    assert eye.flashes == {30}

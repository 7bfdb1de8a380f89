from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import pytest

from lsp_cam.devices import preview
from lsp_cam.devices.preview import PreviewSink
from lsp_cam.errors import DeviceError
from lsp_cam.packets import UInt8

from .media import picture


@pytest.fixture
def sink() -> PreviewSink:
    sink = PreviewSink()
    sink.open(64, 64, 30)
    return sink


def decode(jpeg: bytes) -> UInt8:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_the_newest_frame_as_jpeg(sink: PreviewSink) -> None:
    assert sink.wait_jpeg(0, 0.01) is None
    sink.send(picture(1))
    sink.send(picture(2))
    got = sink.wait_jpeg(0, 1.0)
    assert got is not None
    number, jpeg = got
    assert number == 2
    assert np.abs(decode(jpeg).astype(int) - picture(2)).mean() < 3
    assert sink.wait_jpeg(number, 0.01) is None
    newest = sink.newest()
    assert newest is not None
    assert np.array_equal(newest, picture(2))


def test_frames_are_wanted_while_somebody_watches(sink: PreviewSink) -> None:
    assert not sink.wants_frames
    with sink.watch(), sink.watch():
        assert sink.wants_frames
        assert sink.watchers == 2
    assert not sink.wants_frames
    with pytest.raises(ZeroDivisionError), sink.watch():
        raise ZeroDivisionError
    assert sink.watchers == 0


def test_a_frame_is_encoded_once_for_all_and_never_for_nobody(
    sink: PreviewSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    real = preview._encode
    monkeypatch.setattr(preview, "_encode", lambda rgb, quality: encoded.append(1) or real(rgb, quality))
    for index in range(10):
        sink.send(picture(index))
    assert not encoded
    threads = [threading.Thread(target=sink.wait_jpeg, args=(0, 5.0)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(encoded) == 1


def test_a_watcher_is_woken_by_a_frame_and_by_the_end(sink: PreviewSink) -> None:
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(sink.wait_jpeg(0, 30.0)))
    thread.start()
    time.sleep(0.05)
    sink.send(picture(0))
    thread.join(10)
    assert got[0] is not None
    thread = threading.Thread(target=lambda: got.append(sink.wait_jpeg(1, 30.0)))
    thread.start()
    time.sleep(0.05)
    sink.close()
    thread.join(10)
    assert got[1] is None


def test_watchers_see_whole_frames_in_order_while_frames_stream(sink: PreviewSink) -> None:
    stop = threading.Event()
    seen: list[tuple[int, int]] = []

    def watch() -> None:
        number = 0
        while not stop.is_set():
            got = sink.wait_jpeg(number, 0.2)
            if got is not None:
                assert got[0] > number
                number = got[0]
                seen.append((number, round(float(decode(got[1]).mean()))))

    threads = [threading.Thread(target=watch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for index in range(200):
        sink.send(np.full((64, 64, 3), index, np.uint8))
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert len(seen) >= 3
    assert all(abs(level - (number - 1)) <= 2 for number, level in seen)


def test_the_frame_is_copied_and_fitted(sink: PreviewSink) -> None:
    frame = picture(3)
    sink.send(frame)
    frame[:] = 0
    newest = sink.newest()
    assert newest is not None
    assert newest.any()
    sink.open(128, 72, 30)
    sink.send(picture(3))
    assert sink.describe() == "the preview page, 128x72 at 30 fps"
    assert decode(sink.wait_jpeg(0, 1.0)[1]).shape == (72, 128, 3)


def test_before_it_is_open() -> None:
    with pytest.raises(DeviceError, match="before it was opened"):
        PreviewSink().send(picture(0))
    assert PreviewSink().newest() is None

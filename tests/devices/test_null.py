from __future__ import annotations

import time

import numpy as np
import pytest

from lsp_cam.devices.null import ListSink, NullSink, NullSource

from .media import picture


def test_silence_keeps_time() -> None:
    with NullSource() as source:
        assert source.state == "silent"
        started_s = time.monotonic()
        blocks = [source.read(1.0) for _ in range(30)]
        assert time.monotonic() - started_s >= 0.299
        assert all(b is not None and b.samples.shape == (160,) and not b.samples.any() for b in blocks)
        assert source.read(0.0) is None
    assert source.state == "ended"
    assert source.read(1.0) is None


def test_silence_as_fast_as_it_is_read() -> None:
    source = NullSource(speed=None)
    started_s = time.monotonic()
    assert all(source.read(0.0) is not None for _ in range(1000))
    assert time.monotonic() - started_s < 5
    assert (source.overflows, source.reconnects) == (0, 0)


def test_the_null_sink_counts() -> None:
    with NullSink() as sink:
        sink.open(64, 48, 30)
        assert (sink.size, sink.fps, sink.last_s) == ((64, 48), 30, None)
        sink.send(picture(0))
        sink.send(picture(1))
        assert sink.count == 2
        assert sink.last_s == pytest.approx(time.monotonic(), abs=1)
        assert sink.wants_frames


def test_the_list_sink_keeps_copies() -> None:
    sink = ListSink()
    sink.open(64, 64, 30)
    frame = picture(7)
    sink.send(frame)
    frame[:] = 0
    assert np.array_equal(sink.frames[0], picture(7))
    assert sink.describe() == "a list"

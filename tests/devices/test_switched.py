"""A microphone that is exchanged while it is read."""

from __future__ import annotations

import numpy as np

from lsp_cam.devices.null import NullSource
from lsp_cam.devices.switched import SwitchedSource
from lsp_cam.devices.wavfile import FileSource


def tone(level: float, name: str) -> FileSource:
    return FileSource(np.full(16_000, level, np.float32), name, speed=None)


def test_the_new_one_is_heard_from_the_next_block_on_which_is_after_a_gap() -> None:
    first, second = tone(0.1, "first"), tone(0.2, "second")
    source = SwitchedSource(first)
    before = source.read(1.0)
    source.change(second)
    after, later = source.read(1.0), source.read(1.0)
    assert before is not None
    assert after is not None
    assert later is not None
    assert [block.samples[0] for block in (before, after, later)] == [np.float32(v) for v in (0.1, 0.2, 0.2)]
    assert [block.gap for block in (before, after, later)] == [False, True, False]
    assert source.name == "second"
    assert first.state == "ended", "the one before was closed"


def test_a_change_does_not_end_the_speech() -> None:
    source = SwitchedSource(FileSource(np.zeros(160, np.float32), loop=False, speed=None))
    assert source.read(1.0) is not None
    assert source.state == "ended"
    source.change(tone(0.1, "next"))
    assert source.state == "live"
    source.close()
    assert source.state == "ended"
    late = tone(0.1, "late")
    source.change(late)
    assert late.state == "ended", "nothing is left open"


def test_losses_are_counted_over_all() -> None:
    class Lossy(NullSource):
        overflows, reconnects = 3, 2

    source = SwitchedSource(Lossy())
    source.change(Lossy())
    assert (source.overflows, source.reconnects) == (6, 4)

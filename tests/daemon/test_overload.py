"""A machine that is too slow: speech is heard in time, pictures are skipped evenly, and `status` says so.

On a processor of made-up time; what two busy cores do to the real daemon is told by `benchmarks/overload.py`.
"""

from __future__ import annotations

import os
import threading
from collections import deque

import numpy as np
import pytest

from lsp_cam.daemon.listening import QUEUED_BLOCKS, Listener
from lsp_cam.daemon.priority import NICER_BY
from lsp_cam.daemon.report import report
from lsp_cam.devices.base import BLOCK_S, AudioBlock
from lsp_cam.devices.null import ListSink
from lsp_cam.packets import SAMPLE_RATE_HZ, FeatureMap, LandmarkFrame

from .. import needs
from .fakes import FakeLoader, frame_of
from .madeup import FPS, PERIOD_S, Time, filmed, rehearsed
from .test_core import loud, on_air, until

SLICE_S = 0.001
LEAST_NICE = 19


class OneProcessor(Time):
    """Hearing a block takes `hear_s`. Hearing and rendering get half of the processor each while both want it.

    `late_s`: how long after its capture each block was heard.
    """

    def __init__(self, end_s: float, hear_s: float) -> None:
        super().__init__(end_s)
        self.late_s: list[float] = []
        self._hear_s, self._spent_s = hear_s, 0.0
        self._blocks: deque[tuple[AudioBlock, Listener]] = deque()

    @property
    def unheard_s(self) -> float:
        return min(len(self._blocks), QUEUED_BLOCKS) * BLOCK_S

    def hear(self, block: AudioBlock, listener: Listener) -> None:
        self._blocks.append((block, listener))

    def go(self, seconds: float) -> None:
        self._go(seconds, share=1.0)

    def sleep(self, seconds: float) -> None:
        while seconds > 0:
            share = 0.5 if self._blocks else 0.0
            self._go(SLICE_S, share)
            seconds -= SLICE_S * (1 - share)

    def _go(self, seconds: float, share: float) -> None:
        """Time passes; hearing gets this share of it."""
        super().go(seconds)
        self._spent_s = self._spent_s + seconds * share if self._blocks else 0.0
        while self._blocks and self._spent_s >= self._hear_s:
            block, listener = self._blocks.popleft()
            self._spent_s -= self._hear_s
            self.late_s.append(self.now_s - block.captured_s)
            listener.hear(block)


@pytest.mark.parametrize(
    ("hear_s", "render_s"), [(0.004, 0.04), (0.006, 0.02), (0.006, 0.04), (0.008, 0.02), (0.008, 0.04)]
)
def test_speech_is_in_time_and_pictures_give_way_evenly(
    hear_s: float, render_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both together want 1.2 to 2 processors, and where hearing wants more than half, its half is too little."""
    machine = OneProcessor(20, hear_s)
    made = rehearsed(machine, render_s, monkeypatch)
    assert max(machine.late_s) < 0.2
    assert len(machine.late_s) > 1900
    settled = [picture for at_s, picture in made.pictures if at_s > 2]  # by then it knows how slow it is
    waited_s = [p.made.began_s - p.made.due_s for p in settled if p.made is not None]
    assert max(waited_s) < PERIOD_S, "the newest is taken"
    steps = np.diff([p.frame for p in settled if p.frame is not None])
    assert steps.max() - steps.min() <= 2, "skipped evenly: of the due ones, which are two apart, at most one more"

    film = filmed(made.pictures, 20, monkeypatch, made.clock)
    assert (film.camera.sent, film.camera.missed) == (20 * FPS, 0)
    with on_air(camera=ListSink()) as daemon:
        daemon.camera = film.camera
        new = film.camera.fresh.per_second()
        assert new < 0.9 * FPS
        assert any(f"Your CPU is busy: {new:.0f} of 30 fps" in said for said in report(daemon, "").warnings)


def test_a_renderer_that_hangs_holds_up_neither_speech_nor_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    loader, camera = FakeLoader(), ListSink()
    hung: list[int] = []
    let = threading.Event()
    with on_air(loader, loud(60), camera) as daemon:
        draw = loader.loaded[0].draw

        def hang(landmarks: LandmarkFrame) -> FeatureMap:
            hung.append(landmarks.frame)
            assert let.wait(60)
            return draw(landmarks)

        until(lambda: frame_of(camera.frames[-1]) > 5)
        monkeypatch.setattr(loader.loaded[0], "draw", hang)
        until(lambda: hung)
        heard, sent, skipped = daemon.listener.history.end, len(camera.frames), daemon.due.skipped
        until(lambda: daemon.listener.history.end > heard + SAMPLE_RATE_HZ and len(camera.frames) > sent + 20)
        assert max(map(frame_of, camera.frames)) < hung[0]
        assert daemon.due.skipped > skipped + 20, "of the 30 that were due, a few wait"
        let.set()
        until(lambda: frame_of(camera.frames[-1]) > hung[0])
    following = next(frame for frame in map(frame_of, camera.frames) if frame > hung[0])
    assert following > hung[0] + 50, "what is shown next is of now"


@needs.linux
def test_the_renderer_is_less_urgent_than_hearing_and_showing() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    with on_air(camera=ListSink()):
        until(lambda: niceness().get("render") == min(ours + NICER_BY, LEAST_NICE))
        until(lambda: len(niceness()) == 4)
        assert {kind for kind, nice in niceness().items() if nice == ours} == {"camera", "capture", "motion"}


def niceness() -> dict[str, int]:
    """How nice each worker is to the others."""
    workers = [thread for thread in threading.enumerate() if thread.name in ("camera", "capture", "motion", "render")]
    return {w.name: os.getpriority(os.PRIO_PROCESS, w.native_id) for w in workers if w.native_id is not None}

"""Both cores taken by others: speech is heard in time, pictures are skipped evenly, and `status` says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.backends.choose import open_engine
from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.daemon.loading import Loader
from lsp_cam.daemon.report import report
from lsp_cam.daemon.status import SETTLED_S, Status
from lsp_cam.devices.null import NullSink
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.packets import UInt8
from lsp_cam.store import Store

from ..patience import again

FPS, CORES, SECONDS = 30, 2, 10.0
LOOP = [sys.executable, "-c", "while True: pass"]
TURNS = [
    sys.executable,
    "-c",
    "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass\nprint(time.process_time())",
]
QUIET = 0.85


class Noting(NullSink):
    """Notes which motion frame it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.daemon: Daemon | None = None
        self.frames: list[int] = []

    def send(self, rgb: UInt8) -> None:
        super().send(rgb)
        if self.daemon is not None and self.daemon.camera.shown.frame is not None:
            self.frames.append(self.daemon.camera.shown.frame)


@dataclass
class Seen:
    """`quiet`: nobody but our loops wanted the cores. `late_s`: how late speech was heard, from moment to moment.
    `steps`: motion frames from one picture to the next."""

    quiet: bool
    late_s: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    told: Status | None = None


@contextmanager
def cores_with_others() -> Iterator[bool]:
    """This process, its threads and a busy loop for each core on `CORES` cores; gives whether they were free before."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:CORES]))
    turns = [subprocess.Popen(TURNS, stdout=subprocess.PIPE, text=True) for _ in range(CORES)]
    shares = [float(turn.communicate()[0]) for turn in turns]
    loops = [subprocess.Popen(LOOP) for _ in range(CORES)]
    try:
        yield min(shares) > QUIET
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
        os.sched_setaffinity(0, before)


def overloaded() -> Seen:
    """Some seconds of the shipped subject on air."""
    store, camera = Store(), Noting()
    loader = Loader(store, open_engine(threads=CORES, shared=True))
    speech = FileSource(read_audio(sample_speech()), loop=True)
    with cores_with_others() as quiet:
        seen = Seen(quiet)
        daemon = Daemon(store.get("demo"), loader, lambda: speech, camera, Settings(FPS), camera_is_device=True)
        try:
            daemon.begin()
            while daemon.camera.watched_s(time.monotonic()) < SETTLED_S + 1:
                assert not daemon.stop.wait(0.2)
            camera.daemon = daemon
            end_s = time.monotonic() + SECONDS
            while time.monotonic() < end_s:
                heard_s = daemon.clock.time_of(daemon.listener.history.end)
                assert heard_s is not None
                seen.late_s.append(time.monotonic() - heard_s)
                time.sleep(0.05)
            seen.told = report(daemon, "")
        finally:
            daemon.end()
    seen.steps = np.diff(list(dict.fromkeys(camera.frames))).tolist()
    return seen


@again(3)
def test_speech_goes_first_when_others_take_both_cores(capsys: pytest.CaptureFixture[str]) -> None:
    seen = overloaded()
    told = seen.told
    assert told is not None
    late_ms, steps = (np.percentile(values, (50, 95, 100)) for values in (np.multiply(seen.late_s, 1000), seen.steps))
    with capsys.disabled():
        print(
            f"\noverload: speech {late_ms.round()} ms late (median, 95 %, most), {told.camera.fps_new} of {FPS} "
            f"pictures new, {steps} motion frames from one to the next, {told.camera.fps_out} sent, quiet: {seen.quiet}"
        )
    assert any("Your CPU is busy" in w for w in told.warnings) == (told.camera.fps_new < 0.9 * FPS)
    assert (told.microphone.overflows_lately > 0) == any("Speech was lost" in w for w in told.warnings)
    if not seen.quiet:
        return  # whose speech is late where twenty others wait as well says nothing of ours
    assert told.microphone.overflows == 0
    assert late_ms[0] < 100
    assert late_ms[1] < 500
    assert told.camera.fps_out > 0.8 * FPS
    assert steps[1] <= 3 * steps[0] + 2, "skipped evenly"

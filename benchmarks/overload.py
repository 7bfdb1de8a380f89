"""The shipped subject on air while others take both cores. Figures, never a test.

    python benchmarks/overload.py [--seconds 10] [--cores 2]

The daemon, its threads and a busy loop for each core share the first cores. `quiet`: whether nobody else wanted them
just before; the figures say nothing otherwise, for where twenty others wait as well, speech is late whose ever it is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from lsp_cam.assets import sample_speech
from lsp_cam.backends.choose import open_engine
from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.daemon.loading import Loader
from lsp_cam.daemon.report import report
from lsp_cam.daemon.status import SETTLED_S
from lsp_cam.devices.null import NullSink
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.packets import UInt8
from lsp_cam.store import Store

FPS = 30
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


@contextmanager
def cores_with_others(cores: int) -> Iterator[bool]:
    """This process, its threads and a busy loop for each on so many cores; gives whether they were free before."""
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
    turns = [subprocess.Popen(TURNS, stdout=subprocess.PIPE, text=True) for _ in range(cores)]
    shares = [float(turn.communicate()[0]) for turn in turns]
    loops = [subprocess.Popen(LOOP) for _ in range(cores)]
    try:
        yield min(shares) > QUIET
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def overloaded(seconds: float, cores: int) -> dict[str, Any]:
    """So long on air. Three figures each are the median, that of 95 % and the most; a step is from picture to picture.

    `speech_late_ms`: how long after its capture speech was heard, from moment to moment.
    """
    store, camera, late_ms = Store(), Noting(), []
    loader = Loader(store, open_engine(threads=cores, shared=True))
    speech = FileSource(read_audio(sample_speech()), loop=True)
    with cores_with_others(cores) as quiet:
        daemon = Daemon(store.get("demo"), loader, lambda: speech, camera, Settings(FPS), camera_is_device=True)
        try:
            daemon.begin()
            while daemon.camera.watched_s(time.monotonic()) < SETTLED_S + 1:
                assert not daemon.stop.wait(0.2)
            camera.daemon = daemon
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                heard_s = daemon.clock.time_of(daemon.listener.history.end)
                assert heard_s is not None
                late_ms.append(1000 * (time.monotonic() - heard_s))
                time.sleep(0.05)
            told = report(daemon, "")
        finally:
            daemon.end()
    steps = np.diff(list(dict.fromkeys(camera.frames)))
    return {
        "quiet": quiet,
        "speech_late_ms": np.percentile(late_ms, (50, 95, 100)).round().tolist(),
        "speech_lost": told.microphone.overflows,
        "fps_out": told.camera.fps_out,
        "fps_new": told.camera.fps_new,
        "steps_frames": np.percentile(steps, (50, 95, 100)).tolist(),
        "warnings": told.warnings,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    print(json.dumps(overloaded(args.seconds, args.cores), indent=2))


if __name__ == "__main__":
    main()

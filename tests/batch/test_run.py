"""The course of a batch, with workers that are not there: what one clip does to the others."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lsp_cam.batch import run as running
from lsp_cam.batch.listing import Clip
from lsp_cam.batch.run import Batch, News

from .conftest import recordings


class Helpers:
    """A crew that has more hands than it says, and notes how many are used at once."""

    workers = 2

    def __init__(self) -> None:
        self.busiest = self._busy = 0
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(8)

    def submit(self, work: Any, /, *args: Any) -> Future[Any]:
        return self._threads.submit(self._do, *args)

    def _do(self, job: Any, samples: Any, *rest: Any) -> bytes:
        with self._lock:
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        time.sleep(0.05)
        with self._lock:
            self._busy -= 1
        if len(samples) == 16_000:
            raise ValueError("a film of a second")
        return b"film"


def test_a_clip_that_fails_in_a_way_nobody_thought_of_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {name: 1.0 if name == "c" else 2.0 for name in "abcdef"}
    recordings(tmp_path, seconds)
    monkeypatch.setattr(running.record, "key_of", lambda *given: "key")
    clips = [Clip(tmp_path / f"{name}.wav", tmp_path / f"{name}.mp4") for name in seconds]
    news: list[News] = []
    crew: Any = Helpers()
    job: Any = type("Job", (), {"fps": 25})()
    failed = asyncio.run(Batch(clips, job, crew, None, news.append).run())
    assert [clip.film.stem for clip in failed] == ["c"]
    assert [told.why for told in news if told.what == "failed"] == [
        "Something unexpected went wrong (ValueError: a film of a second)."
    ]
    assert {path.stem for path in tmp_path.glob("*.mp4")} == set("abdef")
    assert crew.busiest == crew.workers

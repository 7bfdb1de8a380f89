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
from lsp_cam.cli.batch import Watcher

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
    assert [str(told.unforeseen) for told in news if told.what == "failed"] == ["a film of a second"]
    assert {path.stem for path in tmp_path.glob("*.mp4")} == set("abdef")
    assert crew.busiest == crew.workers


def test_what_nobody_foresaw_is_said_in_a_line_and_its_details_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lsp_cam.cli.console.state_folder", lambda: tmp_path)
    clip = Clip(tmp_path / "a.wav", tmp_path / "a.mp4")
    Watcher(1, plain_progress=True).tell(News(clip, "failed", unforeseen=ValueError("a film of a second")))
    said = capsys.readouterr().err
    assert "[1/1] a.mp4: something unexpected went wrong: ValueError: a film of a second" in said
    assert "Traceback" not in said
    assert "ValueError: a film of a second" in (tmp_path / "errors.log").read_text()

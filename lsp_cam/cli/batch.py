"""`render --batch`: a list of recordings in, a folder of films out."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .console import plain, print_error, print_line, unexpected

if TYPE_CHECKING:
    from ..batch.listing import Clip
    from ..batch.run import News
    from ..packets import Manner
    from ..pipeline import PipelineConfig
    from ..stages.steer import Steering
    from ..subject import Subject


@dataclass(frozen=True)
class How:
    """What `render` was asked for, besides recordings and films. `words`: the badge."""

    subject: Subject
    config: PipelineConfig
    fps: int
    steering: Steering
    manner: Manner
    words: str
    engine: str
    threads: int | None
    credentials: bool
    plain_progress: bool


def render_batch(listing: Path, folder: Path, how: How, cluster: str | None, workers: int | None) -> None:
    """Dub the recordings of `listing` into `folder`; leaves with 1 if some of them could not be dubbed."""
    import asyncio

    from ..batch.cluster import open_crew
    from ..batch.listing import check_films, read_list
    from ..batch.run import Batch
    from ..batch.work import Job, Rendering, digest_of
    from ..trust.credentials import Seal

    clips = read_list(listing, folder)
    crew = open_crew(cluster, workers)
    subject = how.subject
    # One thread: clips beside one another use the cores better than threads inside one.
    rendering = Rendering(subject.name, subject.root, digest_of(subject), how.config, how.engine, how.threads or 1)
    job = Job(rendering, how.fps, how.steering, how.manner, how.words)
    seal = Seal(subject) if how.credentials else None
    began = time.monotonic()
    with crew, Watcher(len(clips), how.plain_progress) as watcher:
        check_films(clips)
        print_line(f"{len(clips)} recordings, {crew.describe()}")
        failed = asyncio.run(Batch(clips, job, crew, seal, watcher.tell).run())
    spent_s = max(time.monotonic() - began, 1e-3)
    print_line(
        f"{watcher.made} dubbed, {watcher.skipped} done before, {len(failed)} failed: {watcher.pictures} pictures in "
        f"{spent_s:.1f} s, {watcher.pictures / spent_s:.1f} a second"
    )
    if failed:
        raise typer.Exit(1)


class Watcher:
    """Prints a line for each clip that is done, and on a terminal draws bars of those under way."""

    def __init__(self, clips: int, plain_progress: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskID, TextColumn

        self.made = self.skipped = self.pictures = 0
        self._clips = clips
        self._over = 0
        self._bars: dict[Clip, TaskID] = {}
        self._progress: Any = None
        console = Console(stderr=True)
        if console.is_terminal and not plain_progress:
            columns = (TextColumn("{task.description}", markup=False), BarColumn())
            self._progress = Progress(*columns, console=console, transient=True)

    def __enter__(self) -> Watcher:
        (self._progress or nullcontext()).__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._progress is not None:
            self._progress.__exit__(*error)

    def tell(self, news: News) -> None:
        """Show what became of a clip."""
        name = news.clip.film.name
        if news.what in ("skipped", "done", "failed"):
            self._over += 1
        place = f"[{self._over}/{self._clips}]"
        if news.what == "done":
            self.made += 1
            self.pictures += news.pictures
            print_line(f"{place} {name}: {news.pictures} pictures, {news.seconds:.1f} s")
        elif news.what == "skipped":
            self.skipped += 1
            print_line(f"{place} {name}: done before")
        elif news.what == "failed":
            why = news.why if news.unforeseen is None else unexpected(news.unforeseen)
            print_error(f"{place} {name}: {why}")
        elif news.what == "lost":
            print_line(f"{name}: a worker was lost; its work is done again", "yellow")
        elif self._progress is None:
            done = f"{news.share:.0%} more" if news.what == "advanced" else "begun"
            print_line(f"{name}: {done}")
        if self._progress is not None:
            self._draw(news)

    def _draw(self, news: News) -> None:
        if news.what == "begun":
            self._bars[news.clip] = self._progress.add_task(plain(news.clip.film.name), total=1.0)
        elif news.what == "advanced":
            self._progress.advance(self._bars[news.clip], news.share)
        elif news.what in ("done", "failed") and news.clip in self._bars:
            self._progress.remove_task(self._bars.pop(news.clip))

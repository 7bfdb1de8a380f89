"""`bench`: how fast a subject runs here."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .console import print_json, stdout


def register(app: typer.Typer) -> None:
    """Hang the command on `app`."""
    app.command()(bench)


def bench(
    subject: Annotated[str | None, typer.Option("--subject", "-s", help="Whom to measure.")] = None,
    engine: Annotated[str, typer.Option("--engine", help="auto, or one of `lsp-cam engine list`.")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of the renderer.")] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.5, max=3600, help="How much speech to run.")] = 10.0,
    fps: Annotated[int, typer.Option("--fps", help="Pictures per second of speech.")] = 30,
    json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Measure every stage, and how many pictures per second the whole chain makes."""
    import numpy as np

    from ..assets import sample_speech
    from ..backends.choose import open_engine
    from ..bench import bench as run
    from ..devices.wavfile import read_audio
    from ..dub import check_fps
    from ..store import Store

    check_fps(fps)
    store = Store()
    chosen = store.get(subject) if subject else store.default()
    samples = np.resize(read_audio(sample_speech()), int(seconds * 16_000))
    opened = open_engine(engine, threads)
    figures = run(chosen, opened, samples, fps, opened.threads)
    if json:
        print_json(figures)
    else:
        _show(figures)


def _show(figures: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(
        title=f"{figures['subject']}, {figures['engine']}, {figures['threads']} threads, {figures['size']} px"
    )
    for column in ("stage", "calls", "median ms", "p95 ms"):
        table.add_column(column, justify="left" if column == "stage" else "right")
    for name, row in figures["stages"].items():
        table.add_row(name, str(row["calls"]), f"{row['median_ms']:.3f}", f"{row['p95_ms']:.3f}")
    console = stdout()
    console.print(table)
    console.print(f"whole chain: {figures['fps']:.1f} pictures per second ({figures['realtime_fps']} asked)")

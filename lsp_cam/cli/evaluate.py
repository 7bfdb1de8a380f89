"""`evaluate`: how good a subject is, measured on footage that it was not trained on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..trust import WAIVER
from .console import print_json, print_line, stdout

WIDEST = 120
SWEEPS = {"heard_less": "this network, mm", "trained": "trained for it, mm"}

if TYPE_CHECKING:
    from rich.table import Table

    from ..train.evaluate.command import Request


def register(app: typer.Typer) -> None:
    """Hang the command on `app`."""
    app.command()(evaluate)


def evaluate(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="Whom to measure.")],
    video: Annotated[Path, typer.Option("--video", metavar="HELD_OUT", help="Footage it was not trained on.")],
    start: Annotated[float, typer.Option("--start", min=0.0, help="Second of the video to begin at.")] = 0.0,
    end: Annotated[float | None, typer.Option("--end", min=0.0, help="Second of the video to end at.")] = None,
    tracked: Annotated[
        Path | None, typer.Option("--tracked", metavar="FILE", help="Its tracked clip; else it is tracked here.")
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option("--against", metavar="NAME", help="Another subject to measure beside it.")
    ] = None,
    pictures: Annotated[
        int, typer.Option("--pictures", min=1, help="Pictures to render for the renderer's row.")
    ] = 200,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="Roll-outs of the head.")] = 5,
    train_on: Annotated[
        Path | None, typer.Option("--train-on", metavar="FOLDER", help="Training footage, for the small trainings.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of each small training.")] = 150,
    renderer_steps: Annotated[
        int, typer.Option("--renderer-steps", min=0, help="Steps of each renderer's small training; 0: none.")
    ] = 0,
    lpips: Annotated[Path | None, typer.Option("--lpips", metavar="FOLDER", help="Where LPIPS's weights are.")] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="DIR", help="Write a page with pictures.")] = None,
    right: Annotated[
        bool, typer.Option(WAIVER, help="Show, in the report, somebody whose consent the bundle lacks: you answer.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
    engine: Annotated[str, typer.Option("--engine", help="auto, or one of `lsp-cam engine list`.")] = "auto",
    threads: Annotated[int | None, typer.Option("--threads", help="Threads of the renderer.")] = None,
) -> None:
    """Measure a subject on held-out footage: mouth, head, lips and pictures, as the paper does.

    Needs the train extra.
    """
    from ..backends.choose import open_engine
    from ..store import Store
    from ..trust.permission import permit

    store = Store()
    chosen, rivals = store.get(subject), [store.get(name) for name in against or []]
    for shown in (chosen, *rivals) if report is not None else ():
        permit(shown, "render", waived=right)
    request, run = _command()
    wanted = request(
        subject=chosen, video=video, start_s=start, end_s=end, tracked=tracked, rivals=rivals, pictures=pictures,
        seeds=seeds, train_on=train_on, steps=steps, renderer_steps=renderer_steps, threads=threads or 2, lpips=lpips,
        report=report,
    )  # fmt: skip
    figures = run(wanted, open_engine(engine, threads), _say)
    if json:
        print_json(figures)
    else:
        _show(figures)
    if report is not None and not json:
        print_line(f"The page: {report / 'index.html'}")


def _command() -> tuple[type[Request], Any]:
    """What evaluates; MissingExtra where what it is built on is not installed."""
    from ..errors import MissingExtra
    from ..folders import install_command

    try:
        from ..train.evaluate.command import Request, run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("lsp_cam"):
            raise
        raise MissingExtra(
            f"Evaluating needs {error.name}, which is not installed. Run: {install_command('train')}"
        ) from None
    return Request, run


def _say(what: str) -> None:
    """Progress, for whoever sits there."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{what} …\n")


def _show(figures: dict[str, Any]) -> None:
    from ..train.evaluate.tables import HEAD, PICTURE, number

    console = stdout()
    console.width = max(console.width, WIDEST)  # a number that is cut off is worse than a line that wraps
    mouth, lips = figures["mouth"], figures["lips"]
    console.print(
        f"{figures['subject']}: {figures['seconds']:.1f} s at {figures['fps']:g} fps, {figures['size']} px",
        markup=False,
    )
    still, gap = number(mouth["still_mouth_error_mm"], 2), mouth["gap_correlation"]
    console.print(f"mouth: {number(mouth['error_mm'], 2)} mm (a still mouth: {still} mm); gap r = {gap}")
    for who in ("shown", "tracked"):
        found = lips[who]["closed_share"]
        closed = f"{found:.0%}" if found is not None else "-"
        console.print(f"lips, {who}: closed at {closed} of {lips['closures']} p, b, m ({lips['phones_from']})")
    console.print(_table("look-ahead", _sweeps(mouth), {key: (key, 2) for key in SWEEPS.values()}))
    console.print(_table("head", figures["head"], HEAD))
    console.print(_table("pictures", figures["picture"], PICTURE))


def _sweeps(mouth: dict[str, Any]) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for kind, label in SWEEPS.items():
        for row in mouth[kind] or []:
            named = {"name": f"{row['look_ahead_ms']} ms", **dict.fromkeys(SWEEPS.values())}
            rows.setdefault(row["look_ahead_ms"], named)[label] = row["error_mm"]
    return [rows[ms] for ms in sorted(rows)]


def _table(title: str, rows: list[dict[str, Any]], columns: dict[str, tuple[str, int]]) -> Table:
    from rich.table import Table

    from ..train.evaluate.tables import number
    from .console import text

    kept = {key: column for key, column in columns.items() if any(row[key] for row in rows)}
    table = Table(box=None, pad_edge=False)
    table.add_column(title, no_wrap=True)
    for label, _ in kept.values():
        table.add_column(label, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(text(row["name"]), *(number(row[key], places) for key, (_, places) in kept.items()))
    return table

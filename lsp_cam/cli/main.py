"""`lsp-cam`: the commands, put together. A module of commands has `register(app)` and a line in `GROUPS`.

These modules are imported for `--help` too, so what is heavy is imported inside the functions that need it.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Annotated

import typer

from .. import __version__
from .console import INTERRUPTED, Commands, leave, reported

GROUPS = ("daemon", "panel", "render", "subject", "trust", "inspect", "train", "evaluate", "doctor", "bench")

app = typer.Typer(
    name="lsp-cam",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # help in boxes would cost as much again as all the rest of `--help`, and swallow brackets
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"lsp-cam {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """A webcam that you speak into: live speech becomes a portrait in a virtual camera."""


def register_all() -> None:
    """Hang the commands of every group on `app`."""
    for group in GROUPS:
        import_module(f"{__package__}.{group}").register(app)


def run() -> None:
    """The console entry."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name on disk may hold bytes that the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _stop)
    # numpy, not loaded yet, would keep a thread for each core; for matrices as small as ours they are in the way
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        with reported():
            app()
    except typer.Exit as end:
        leave(end.exit_code)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else int(end.code is not None))
    except KeyboardInterrupt:
        leave(INTERRUPTED)
    except BrokenPipeError:
        leave(1)


def _stop(number: int, frame: object) -> None:
    """A polite end is Ctrl-C's: what is open gets closed."""
    raise KeyboardInterrupt


register_all()

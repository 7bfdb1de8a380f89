"""`lsp-cam`: the commands, put together. A module of commands has `register(app)` and a line in `GROUPS`.

These modules are imported for `--help` too, so what is heavy is imported inside the functions that need it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Annotated

import typer

from .. import __version__
from .console import Commands

GROUPS = (
    "daemon", "call", "panel", "render", "subject", "trust", "inspect",
    "train", "evaluate", "doctor", "setup", "selftest", "service", "bench", "engine",
)  # fmt: skip

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


register_all()

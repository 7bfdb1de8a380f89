"""`doctor`: each thing needed, whether it is there, and the command that puts it there."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import print_json, print_line, stdout, text

if TYPE_CHECKING:
    from ..doctor import Check

STYLES = {"needed": "bold red", "fallback": "yellow", "optional": "dim"}
MARKS = {"needed": "missing", "fallback": "absent", "optional": "-"}


def register(app: typer.Typer) -> None:
    """Hang the command on `app`."""
    app.command()(doctor)


def doctor(
    what: Annotated[list[str] | None, typer.Argument(help="Only this, as audio or camera.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs: name, ok, level, found, fix.")] = False,
) -> None:
    """What is needed, whether it is there, and how to get it.

    Exit code 1: something without which lsp-cam cannot start is missing.
    """
    from ..doctor import can_start, groups, run_checks

    if unknown := set(what or ()) - set(groups()):
        raise UsageError(f"doctor cannot look at '{min(unknown)}'. It looks at: {', '.join(groups())}.")
    checks = run_checks(what or ())
    ready = can_start(checks)
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        _print(checks, ready)
    raise typer.Exit(0 if ready else 1)


def _print(checks: list[Check], ready: bool) -> None:
    from rich.table import Table

    table = Table("", "what", "found", box=None, pad_edge=False)
    for check in checks:
        mark = text("ok", "green") if check.ok else text(MARKS[check.level], STYLES[check.level])
        table.add_row(mark, text(check.name, "bold"), text(check.found))
    stdout().print(table)
    # Commands stand below one another, unbroken, so that they can be copied.
    for check in checks:
        if check.fix and not (check.ok or check.level == "optional"):
            print_line(f"\n{check.name}:\n  {check.fix}", STYLES[check.level])
    optional = [check for check in checks if check.fix and (check.ok or check.level == "optional")]
    if optional:
        print_line("\nIf you like:")
        for check in optional:
            print_line(f"  {check.name}: {check.fix}")
    print_line("\nReady: lsp-cam start" if ready else "\nNot ready: run the commands above.", "bold")

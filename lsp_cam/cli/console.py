"""What every command shares: how it prints, and what becomes of its errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from typer.core import TyperGroup

from ..errors import LspCamError
from ..folders import state_folder

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

DEBUG_VARIABLE = "LSP_CAM_DEBUG"
INTERNAL_ERROR = 70
NO_SPACE = "The disk is full. Make room and try again."


class Commands(TyperGroup):
    """A group of commands that turns errors into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        with reported():
            return super().invoke(ctx)


@contextmanager
def reported() -> Iterator[None]:
    """Print an error as one line and leave with its exit code; nobody gets to see a traceback."""
    try:
        yield
    except LspCamError as error:
        if _debugging():
            raise
        print_error(str(error))
        raise typer.Exit(error.exit_code) from None
    except (typer.Exit, typer.Abort, KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:
        # Mistakes in how a command was typed are typer's own to print.
        if _debugging() or hasattr(error, "exit_code"):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print_error(NO_SPACE)
            raise typer.Exit(1) from None
        print_error(unexpected(error))
        raise typer.Exit(INTERNAL_ERROR) from None


def stdout() -> Console:
    """The console for what was asked for. Long lines are not wrapped when they go to a file or a pipe."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not (sys.stdout and sys.stdout.isatty()))


def print_error(message: str) -> None:
    """Print `error: message` on stderr; brackets stay, control characters of strangers do not."""
    from rich.console import Console
    from rich.text import Text

    line = Text.assemble(("error: ", "bold red"), plain(message))
    Console(stderr=True, highlight=False).print(line, soft_wrap=True)


def print_line(message: str, style: str = "") -> None:
    """Print one line on stdout, without markup and without wrapping."""
    stdout().print(text(message, style), soft_wrap=True)


def print_note(message: str) -> None:
    """Print one line on stderr: what goes on meanwhile, where stdout may be somebody else's."""
    from rich.console import Console

    Console(stderr=True, highlight=False).print(text(message), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print `value` as JSON for other programs: no colours, no wrapping."""
    import json

    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def text(value: str, style: str = "") -> Text:
    """`value` for a rich table or line: taken literally, without control characters."""
    from rich.text import Text

    return Text(plain(value), style)


def plain(value: str) -> str:
    """`value` without control characters (a bundle may hold escape sequences), lines kept."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in value)


def leave(code: int) -> NoReturn:
    """End the process. A reader that has gone (`lsp-cam … | head`) is not worth a message; a full disk is."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        # What is still buffered must go somewhere, or Python complains about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not code and not isinstance(error, BrokenPipeError):
            print_error(NO_SPACE if error.errno == errno.ENOSPC else f"The output is lost ({error.strerror}).")
        code = code or 1
    sys.exit(code)


def _debugging() -> bool:
    return os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def unexpected(error: Exception) -> str:
    """What to say of an error that nobody foresaw; its details are logged."""
    what = f"something unexpected went wrong: {type(error).__name__}: {error}".splitlines()[0]
    try:
        return f"{what}. The details are in {_log(error)}."
    except OSError as problem:
        return f"{what}. The details could not be logged ({problem}); set {DEBUG_VARIABLE}=1 to see them."


def _log(error: Exception) -> Path:
    import traceback

    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "errors.log"
    details = "".join(traceback.format_exception(error))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as log:
        log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {sys.argv}\n{details}\n")
    return path

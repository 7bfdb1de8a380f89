"""The console entry. It loads the commands itself, so that Ctrl-C has its answer while they load, too."""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = 130


def run() -> None:
    """Run the command that was typed; ends the process."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        _run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name on disk may hold bytes that the terminal cannot show
            stream.reconfigure(errors="backslashreplace")
    # numpy, not loaded yet, would keep a thread for each core; for matrices as small as ours they are in the way
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import typer

    from .console import leave, reported
    from .main import app

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

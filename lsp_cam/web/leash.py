"""For a process that must not outlive the daemon: its standard input is a pipe that the daemon holds.

However the daemon ends, killed included, the kernel closes its end of the pipe; this one then ends as Ctrl-C would end
it, and if that does not help within `PATIENCE_S`, at once with all that it has started.
"""

from __future__ import annotations

import os
import signal
import threading
import time

PATIENCE_S = 10.0


def hold() -> None:
    """Watch the pipe from now on, in a thread of its own. For a process that leads its own session."""
    threading.Thread(target=_watch, name="leash", daemon=True).start()


def _watch() -> None:
    while os.read(0, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE_S)
    if os.name == "posix":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)

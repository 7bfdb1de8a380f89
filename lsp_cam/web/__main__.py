"""The detached daemon: `python -m lsp_cam.web OPTIONS` (JSON), started by `lsp-cam start`."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading

from ..daemon.log import log_output, open_log
from ..daemon.options import StartOptions
from ..daemon.signals import stopping_on_signals
from ..errors import LspCamError
from ..trust.limits import limit_memory


def main() -> int:
    """Run until stopped; the exit status says how it went."""
    stop = threading.Event()
    with stopping_on_signals(stop):
        return _run(stop)


def _run(stop: threading.Event) -> int:
    os.umask(0o077)  # whatever it writes is the user's alone
    open_log()
    limit_memory()
    faulthandler.enable(open(os.dup(2), "w"))  # noqa: SIM115 — for as long as the process lives
    log_output()
    from .host import Host  # takes a second; a signal must find its handler before that

    try:
        Host(StartOptions.model_validate_json(sys.argv[1]), stop).run()
    except LspCamError as error:
        return error.exit_code
    except Exception:
        return 70  # it is in the log already
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    # Threads of sound and video libraries may outlive main and must not hold the process.
    os._exit(status)

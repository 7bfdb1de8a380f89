"""The daemon's log: rotated, so that it never fills a disk, and it takes what libraries print as well."""

from __future__ import annotations

import logging
import os
import threading
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler

from ..errors import DaemonError
from .runtime import log_file

MAX_BYTES = 1 << 20
BACKUPS = 3
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def open_log() -> None:
    """Send all logging of this process to the log file."""
    path = log_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = _PrivateHandler(path, maxBytes=MAX_BYTES, backupCount=BACKUPS, encoding="utf-8")
    except OSError as error:
        raise DaemonError(f"The log {path} cannot be written ({error.strerror}). Make it writable.") from None
    handler.setFormatter(logging.Formatter(FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a full disk must not end in complaints about the log


class _PrivateHandler(RotatingFileHandler):
    """Its files are readable by the user alone, wherever the folder is."""

    def _open(self) -> TextIOWrapper:
        stream = super()._open()
        os.chmod(self.baseFilename, 0o600)
        return stream


def log_output() -> None:
    """Make what this process and its libraries write on stdout and stderr lines of the log."""
    reader, writer = os.pipe()
    for descriptor in (1, 2):
        os.dup2(writer, descriptor)
    os.close(writer)
    threading.Thread(target=_copy, args=(reader,), name="output", daemon=True).start()


def _copy(reader: int) -> None:
    log = logging.getLogger("output")
    with open(reader, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.strip():
                log.info("%s", line.rstrip())

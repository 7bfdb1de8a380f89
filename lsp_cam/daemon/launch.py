"""Starting the daemon as a process of its own, and ending it from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ..errors import DaemonError, LspCamError, UsageError
from .client import Client
from .options import StartOptions
from .runtime import Contact, Record, Runtime, already_running, log_file, log_folder
from .signals import stopping_on_signals

MODULE = "lsp_cam.web"
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 15.0
POLL_S = 0.05


@contextmanager
def launched(options: StartOptions, tell: Callable[[str], None]) -> Iterator[tuple[Record, Contact]]:
    """Start a detached daemon; the body runs when its first picture is out. `tell` gets what it does meanwhile.

    Raises the error that kept it from running. Interrupted (Ctrl-C, SIGTERM) at any moment until the body has ended,
    it takes the daemon down and raises KeyboardInterrupt.
    """
    runtime = Runtime()
    if runtime.is_running():
        raise DaemonError(already_running(runtime.record()))
    interrupted = threading.Event()
    # Only noted: an exception raised by the handler could hit between the daemon's birth and our knowing of it.
    with _early_output() as output, stopping_on_signals(interrupted):
        process = subprocess.Popen(
            [sys.executable, "-m", MODULE, options.model_dump_json()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield _await_running(runtime, process, tell, interrupted)
            _heed(interrupted)
        except BaseException:
            _take_down(process)
            raise


def stop(runtime: Runtime, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """End the daemon that runs; returns whether it had to be killed. DaemonError if not even that helped."""
    record, contact = runtime.record(), runtime.contact()
    try:
        if contact is None:
            raise DaemonError("it is still starting")
        with Client(contact) as client:
            client.post("/api/stop")
    except DaemonError:
        _signal(record, signal.SIGTERM)  # it is starting, or hangs
    if _await_end(runtime, timeout_s):
        return False
    _signal(record, getattr(signal, "SIGKILL", signal.SIGTERM))
    if not _await_end(runtime, timeout_s):
        pid = record.pid if record else "unknown"
        raise DaemonError(f"lsp-cam (process {pid}) does not end, not even when killed. Restart the computer.")
    return True


def _await_running(
    runtime: Runtime, process: subprocess.Popen[bytes], tell: Callable[[str], None], interrupted: threading.Event
) -> tuple[Record, Contact]:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    told = None
    while time.monotonic() < deadline_s:
        ended = process.poll() is not None  # asked before the record is read, which may be the last one
        record = runtime.record()
        mine = record is not None and record.pid == process.pid
        if record is not None and mine:
            contact = runtime.contact()
            if record.state == "running" and contact is not None and contact.pid == process.pid:
                return record, contact
            if record.state == "failed":
                raise _error(record)
            if record.message and record.message != told:
                told = record.message
                tell(told)
                deadline_s = time.monotonic() + START_TIMEOUT_S  # compiling for a graphics card takes its time
        if ended:
            raise DaemonError(_sudden_end(runtime, process, record if mine else None))
        interrupted.wait(POLL_S)
        _heed(interrupted)
    raise DaemonError(f"lsp-cam was to start, and has told nothing for {START_TIMEOUT_S:.0f} s. Look at {log_file()}.")


def _heed(interrupted: threading.Event) -> None:
    if interrupted.is_set():
        raise KeyboardInterrupt


def _error(record: Record) -> LspCamError:
    kind = UsageError if record.exit_code == UsageError.exit_code else DaemonError
    return kind(record.message or f"lsp-cam did not start. Look at {log_file()}.")


def _sudden_end(runtime: Runtime, process: subprocess.Popen[bytes], record: Record | None) -> str:
    if record is not None and record.state == "stopped":
        return "lsp-cam was stopped while it started."
    if record is None and runtime.is_running():
        return already_running(runtime.record())
    said = (log_folder() / "start.log").read_text("utf-8", "replace").strip().splitlines()
    last = f" It said: {said[-1]}" if said else ""
    return f"lsp-cam ended while it started (status {process.returncode}).{last} Look at {log_file()}."


def _take_down(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_end(runtime: Runtime, timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while runtime.is_running():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True


def _signal(record: Record | None, number: int) -> None:
    """Only called while somebody holds the lock, and its holder wrote the record first of all."""
    if record is None:
        return
    try:
        os.kill(record.pid, number)
    except (ProcessLookupError, PermissionError):
        return


@contextmanager
def _early_output() -> Iterator[BinaryIO]:
    """Where the process writes until it has its log."""
    try:
        log_folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(log_folder() / "start.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise DaemonError(f"The log folder {log_folder()} cannot be written ({error.strerror}).") from None
    with os.fdopen(handle, "wb") as file:
        yield file

"""Long work beside the portrait on air: a command of ours in a process of its own, at the lowest priority.

It says how far it is in lines; it ends when the daemon ends, even if that is killed (`leash`), and can be cancelled at
any moment.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..errors import DaemonError

ENTRY = ("-c", "from lsp_cam.web.leash import hold; hold(); from lsp_cam.cli.entry import run; run()")
NICE = 15
KEPT_LINES = 12
STOP_S = 10.0
SHARE = re.compile(r"(?P<what>.*?):? (?P<percent>\d{1,3})%(?:, (?P<left>.+) left)?$")

State = Literal["running", "done", "failed", "cancelled"]


@dataclass
class Job:
    """One run of a command. `share`: how much of the present step is done, 0 to 1; `message`: its last word."""

    id: str
    title: str
    state: State = "running"
    step: str = ""
    share: float = 0.0
    left: str | None = None
    message: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    process: subprocess.Popen[str] | None = None

    def hear(self, line: str) -> None:
        """Take a line that the command printed."""
        line = line.strip()
        if not line:
            return
        self.lines.append(line)
        self.message = line.removeprefix("error: ")
        if found := SHARE.match(line):
            self.step, self.left = found["what"], found["left"]
            self.share = min(int(found["percent"]) / 100, 1.0)
        elif re.match(r"\d+/\d+ ", line):
            self.step, self.share, self.left = line, 0.0, None


class Jobs:
    """Jobs of one kind: one runs at a time, and the last few are remembered."""

    def __init__(self, what: str, stop: threading.Event, kept: int = 8) -> None:
        self._what, self._stop, self._kept = what, stop, kept
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def all(self) -> list[Job]:
        """The newest first."""
        return list(reversed(self._jobs.values()))

    def find(self, key: str) -> Job | None:
        return self._jobs.get(key)

    def check_free(self) -> None:
        """DaemonError if one runs."""
        if any(job.state == "running" for job in self._jobs.values()):
            raise DaemonError(f"Another {self._what} is under way. Wait for it, or cancel it.")

    def start(self, job: Job, words: Sequence[str], ended: Callable[[Job], None] = lambda job: None) -> Job:
        """Run `lsp-cam WORDS`; `ended` is called when it is over. DaemonError if one runs already."""
        with self._lock:
            self.check_free()
            job.process = subprocess.Popen(
                [sys.executable, *ENTRY, *words],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                start_new_session=True,
                env={**os.environ, "COLUMNS": "1000", "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
            if os.name == "posix":
                os.setpriority(os.PRIO_PROCESS, job.process.pid, NICE)
            self._jobs.pop(job.id, None)
            self._jobs[job.id] = job
            for old in [key for key, one in self._jobs.items() if one.state != "running"][: -self._kept]:
                del self._jobs[old]
        threading.Thread(target=self._follow, args=(job, ended), name=self._what, daemon=True).start()
        threading.Thread(
            target=self._end_with_daemon, args=(job.process,), name=f"{self._what} end", daemon=True
        ).start()
        return job

    def forget(self, key: str) -> None:
        """Remember a job no longer."""
        with self._lock:
            self._jobs.pop(key, None)

    def cancel(self, job: Job) -> None:
        """End it, as Ctrl-C would."""
        if job.state == "running" and job.process is not None:
            job.state = "cancelled"
            _stop(job.process)

    def _follow(self, job: Job, ended: Callable[[Job], None]) -> None:
        process = job.process
        assert process is not None
        assert process.stdout is not None
        with process:  # its pipes are closed when it has ended, not before: by one of them it knows that we live
            for line in process.stdout:
                job.hear(line)
        if job.state == "running":
            job.state = "done" if process.returncode == 0 else "failed"
        ended(job)

    def _end_with_daemon(self, process: subprocess.Popen[str]) -> None:
        while process.poll() is None:
            if self._stop.wait(1.0):
                _stop(process)
                return


def _stop(process: subprocess.Popen[str]) -> None:
    """SIGTERM, and SIGKILL for its whole group if that does not help."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()

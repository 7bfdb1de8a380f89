"""Long work in a process of its own: how far it is, how it ends, and that it does not outlive the daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lsp_cam.errors import DaemonError
from lsp_cam.web import jobs as jobs_module
from lsp_cam.web.jobs import NICE, Job, Jobs

from .. import needs

SLEEPS = "import time; print('1/2 First: 40%, 3 s left', flush=True); time.sleep(600)"
FAILS = "import sys; print('working'); print('error: The disk is full.', file=sys.stderr); sys.exit(1)"
SPEAKS = "print('1/2 First'); print('1/2 First: 100%, 0 s left'); print('Made.')"


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Jobs whose command is a line of Python."""
    monkeypatch.setattr(jobs_module, "ENTRY", ("-c",))
    return Jobs("test", threading.Event())


def until(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.02)


def test_a_job_tells_how_far_it_is_and_what_it_said_last(jobs: Jobs) -> None:
    ended: list[str] = []
    job = jobs.start(Job("a", "A"), [SPEAKS], lambda job: ended.append(job.state))
    until(lambda: ended)
    assert (job.state, job.message, job.step, job.share) == ("done", "Made.", "1/2 First", 1.0)
    assert ended == ["done"]


def test_a_failure_is_told_in_the_commands_own_words(jobs: Jobs) -> None:
    job = jobs.start(Job("a", "A"), [FAILS])
    until(lambda: job.state != "running")
    assert (job.state, job.message) == ("failed", "The disk is full.")


def test_one_runs_at_a_time_gives_way_and_can_be_cancelled(jobs: Jobs) -> None:
    job = jobs.start(Job("a", "A"), [SLEEPS])
    until(lambda: job.share == 0.4)
    assert job.left == "3 s"
    assert job.process is not None
    assert os.getpriority(os.PRIO_PROCESS, job.process.pid) >= NICE
    with pytest.raises(DaemonError, match="Another test"):
        jobs.start(Job("b", "B"), [SPEAKS])
    jobs.cancel(job)
    assert job.process.poll() is not None
    until(lambda: job.state == "cancelled")
    jobs.start(Job("b", "B"), [SPEAKS])
    until(lambda: [one.state for one in jobs.all()] == ["done", "cancelled"])


def test_a_job_ends_with_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "ENTRY", ("-c",))
    stop = threading.Event()
    job = Jobs("test", stop).start(Job("a", "A"), [SLEEPS])
    until(lambda: job.share == 0.4)
    stop.set()
    assert job.process is not None
    until(lambda: job.process is not None and job.process.poll() is not None)


DAEMON = """
import threading, time
from lsp_cam.web import jobs
jobs.ENTRY = ("-c", "from lsp_cam.web.leash import hold; hold(); import sys; exec(sys.argv[1])")
job = jobs.Jobs("test", threading.Event()).start(jobs.Job("a", "A"), [{work!r}])
while not job.message:
    time.sleep(0.02)
print(job.message, flush=True)
time.sleep(600)
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
WORKS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def runs(pid: int) -> bool:
    """Whether it is there and not merely waited for by nobody."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@needs.linux
@pytest.mark.parametrize("work", [WORKS, f"{DEAF}; {WORKS}"], ids=["polite", "deaf"])
def test_a_job_ends_with_a_daemon_that_is_killed(work: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", DAEMON.format(work=work)], stdout=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        assert runs(pid)
        daemon.send_signal(signal.SIGKILL)
    until(lambda: not runs(pid))


def test_only_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "ENTRY", ("-c",))
    jobs = Jobs("test", threading.Event(), kept=2)
    for key in "abcd":
        job = jobs.start(Job(key, key), ["pass"])
        until(lambda job=job: job.state == "done")
    assert [job.id for job in jobs.all()] == ["d", "c", "b"]

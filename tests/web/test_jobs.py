"""Long work in a process of its own: how far it is, how it ends, and that it does not outlive the daemon."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

import pytest

from lsp_cam.errors import DaemonError
from lsp_cam.web import jobs as jobs_module
from lsp_cam.web.jobs import NICE, Job, Jobs

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


def test_only_the_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "ENTRY", ("-c",))
    jobs = Jobs("test", threading.Event(), kept=2)
    for key in "abcd":
        job = jobs.start(Job(key, key), ["pass"])
        until(lambda job=job: job.state == "done")
    assert [job.id for job in jobs.all()] == ["d", "c", "b"]

"""Who does the work: processes of this machine, or (`cluster`) Ray."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class LostWorker(Exception):
    """A worker died while it worked; the work can be done again."""


class Crew(Protocol):
    """Workers. Use it as a context: at its end they are gone, with what they were doing."""

    @property
    def workers(self) -> int:
        """How many work at the same time."""
        ...

    def submit(self, work: Callable[..., T], /, *args: Any) -> Future[T]:
        """Have `work`, a function of a module, done; the future may raise LostWorker."""
        ...

    def describe(self) -> str:
        """Who they are, for people."""
        ...

    def __enter__(self) -> Crew: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Processes:
    """Processes of this machine, one for each worker; one that dies is replaced, and costs only its own work."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._threads = ThreadPoolExecutor(workers, "worker")
        self._free: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._all: list[_Worker] = []
        self._closed = False

    def submit(self, work: Callable[..., T], /, *args: Any) -> Future[T]:
        return self._threads.submit(self._do, work, args)

    def describe(self) -> str:
        return f"{self.workers} processes"

    def __enter__(self) -> Processes:
        for _ in range(self.workers):
            self._hire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in list(self._all):
            worker.end()
        self._threads.shutdown()

    def _do(self, work: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        worker = self._free.get()
        try:
            answer = worker.do(work, args)
        except LostWorker:
            worker.end()
            self._all.remove(worker)
            if not self._closed:
                self._hire()
            raise
        self._free.put(worker)
        return answer()

    def _hire(self) -> None:
        worker = _Worker()
        self._all.append(worker)
        self._free.put(worker)


class _Worker:
    """A process and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        resource_tracker.ensure_running()  # starting it lets signals through again
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _without_interrupts():
            self._process.start()
        theirs.close()

    def do(self, work: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
        """A function that gives the answer of `work`, or raises its error. LostWorker if there is no answer."""
        try:
            self._pipe.send((work, args))
            answer, error = self._pipe.recv()
        except (EOFError, OSError):
            raise LostWorker from None

        def give() -> Any:
            if error is not None:
                raise error
            return answer

        return give

    def end(self) -> None:
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection) -> None:
    """The life of a worker: until nobody is at the other end."""
    while True:
        try:
            work, args = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[Any, Exception | None] = (work(*args), None)
        except Exception as error:
            answer = (None, error)
        try:
            pipe.send(answer)
        except OSError:
            return


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started meanwhile do not hear Ctrl-C, which a terminal sends to all: their owner ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cores() -> int:
    """How many workers this machine has cores for."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

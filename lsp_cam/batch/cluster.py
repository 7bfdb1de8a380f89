"""Workers on Ray: a cluster of this machine that lives as long as the batch, or one that is there already."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future
from importlib.util import find_spec
from types import TracebackType
from typing import Any, TypeVar

from ..errors import MissingExtra, UsageError
from ..folders import install_command
from .crew import Crew, LostWorker, Processes, cores

T = TypeVar("T")
LOCAL, NONE = "local", "none"
KNOCK_S = 10
STARTS = 5  # Ray gives its own processes half a minute, which a busy machine may not have


def open_crew(cluster: str | None, workers: int | None) -> Crew:
    """The workers that `--cluster` and `--workers` ask for; None: as they come.

    `cluster`: the address of a Ray cluster, "local" for one on this machine, "none" for plain processes. None is
    "local" where Ray is installed, else "none". Raises UsageError, MissingExtra.
    """
    if workers is not None and not 1 <= workers <= 4096:
        raise UsageError(f"--workers {workers}: use a number from 1 to 4096.")
    installed = find_spec("ray") is not None
    if cluster is None:
        cluster = LOCAL if installed else NONE
    if cluster == NONE:
        return Processes(workers or cores())
    if not installed:
        raise MissingExtra(f"A cluster needs Ray: {install_command('cluster')}. Or use --cluster none.")
    return RayCluster(cluster, workers)


class RayCluster:
    """A Ray cluster (see `crew.Crew`). `workers`: of a local one, how many there are; of another, at most so many work
    for us (None: a worker for each of its processors)."""

    def __init__(self, address: str, workers: int | None) -> None:
        self._address = address
        self._is_local = address == LOCAL
        self.workers = workers or cores()
        self._most = workers
        self._remote: dict[Callable[..., Any], Any] = {}

    def submit(self, work: Callable[..., T], /, *args: Any) -> Future[T]:
        """Ray does not try again by itself: whoever asked is to hear of a loss."""
        import ray

        if work not in self._remote:
            self._remote[work] = ray.remote(num_cpus=1, max_retries=0)(work)
        given: Future[T] = self._remote[work].remote(*args).future()
        told: Future[T] = Future()
        given.add_done_callback(lambda done: _tell(done, told))
        return told

    def describe(self) -> str:
        where = "on this machine" if self._is_local else f"at {self._address}"
        return f"{self.workers} workers of Ray {where}"

    def __enter__(self) -> RayCluster:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves this machine
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # a card, where there is one, is for all
        import ray

        options: dict[str, Any] = {}
        if self._is_local:
            options = {"num_cpus": self.workers, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        else:
            self._knock()
        for left in reversed(range(STARTS if self._is_local else 1)):
            try:
                ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR, **options)
                break
            except Exception as error:  # of many kinds, according to what is wrong
                ray.shutdown()
                if not left:
                    raise self._nobody((str(error).strip().splitlines() or [type(error).__name__])[0]) from None
        if not self._is_local:
            there = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]  # Ray has no types for it
            self.workers = min(self._most or there, there) or 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        ray.shutdown()

    def _knock(self) -> None:
        """UsageError if nobody listens at HOST:PORT, which Ray itself takes minutes to say."""
        host, _, port = self._address.rpartition("://")[2].rpartition(":")
        if host and port.isdecimal():
            try:
                socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
            except (OSError, OverflowError) as error:
                raise self._nobody(str(error)) from None

    def _nobody(self, why: str) -> UsageError:
        if self._is_local:
            return UsageError(f"Ray does not start here ({why}). Use --cluster none.")
        return UsageError(
            f"There is no Ray cluster at {self._address} ({why}). Start one (ray start --head), or leave --cluster out."
        )


def _tell(done: Future[Any], told: Future[Any]) -> None:
    """Hand an answer of Ray's on; its errors become the work's own, or LostWorker."""
    import ray

    if told.cancelled() or not told.set_running_or_notify_cancel():
        return
    error = done.exception()
    if error is None:
        told.set_result(done.result())
    elif isinstance(error, ray.exceptions.RayTaskError):
        told.set_exception(error.cause if isinstance(error.cause, BaseException) else error)
    elif isinstance(error, ray.exceptions.RayError):
        told.set_exception(LostWorker(str(error)))
    else:
        told.set_exception(error)

"""Rendering gives way to hearing: its threads run a little less urgently than the motion worker.

A picture that is late is skipped, and nobody sees it; speech that is heard late makes everything late.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

NICER_BY = 3  # half of the others' share, when there is not enough for all


def give_way() -> None:
    """Lower the calling thread's priority (Linux, where each thread has its own); threads that it starts inherit it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + NICER_BY)


def giving_way(work: Callable[[], T]) -> T:
    """Do `work` in a thread of lower priority, for nobody may raise their own again; gives what it gives."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        give_way()
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="loading")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]

"""Worker threads and their owner: the first error stops all of them and is raised by the owner."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

LOG = logging.getLogger(__name__)
JOIN_S = 10.0


class Crew:
    """Runs plain functions in threads until `stop` is set. A function that returns has done its work."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._lock = threading.Lock()

    def run(self, name: str, work: Callable[[], None]) -> threading.Thread:
        """Start `work` in a thread."""
        thread = threading.Thread(target=self._guard, args=(name, work), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def join(self) -> None:
        """Wait for all (`stop` must be set, or be set by one of them); raise the first error."""
        for thread in self._threads:
            thread.join(JOIN_S)
            if thread.is_alive():
                LOG.error("the %s thread does not end; it is left behind", thread.name)
        self._threads.clear()
        if self._error is not None:
            raise self._error

    def _guard(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            with self._lock:
                if self._error is None:
                    self._error = error
            LOG.error("the %s thread failed: %s", name, error, exc_info=error)
            self.stop.set()

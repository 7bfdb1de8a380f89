"""A bound on memory, for processes that run networks of strangers: a network may ask for any amount while it runs."""

from __future__ import annotations

import sys

MOST_BYTES = 6 << 30  # the published renderer at full width takes under a third of it


def limit_memory(most_bytes: int = MOST_BYTES) -> None:
    """Let this process's data grow to `most_bytes` and no further; where the system cannot, nothing happens.

    What would need more fails with an error of its own instead of taking the machine with it.
    """
    if sys.platform != "linux":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most_bytes = min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, hard))

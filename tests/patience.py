"""Tests whose bounds are about time, on a machine that may be busy with other things."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def again(times: int = 5) -> Callable[[F], F]:
    """Try a test so often: it asserts what a machine can do that is let, and a fault of ours fails each time."""

    def repeated(test: F) -> F:
        @functools.wraps(test)
        def run(*values: Any, **named: Any) -> None:
            for _ in range(times - 1):
                try:
                    test(*values, **named)
                except AssertionError:
                    continue
                return
            test(*values, **named)

        return run  # type: ignore[return-value]

    return repeated

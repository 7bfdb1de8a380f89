"""How stages stream: `step` takes one packet and the state, and gives packets and the next state.

A stage holds its config and weights; all that changes lives in the state: plain data that
`copy.deepcopy` and `pickle` carry elsewhere. `step` may reuse the arrays of the state that it is
given, so only the state it returns is good afterwards: copy a state to keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import numpy as np

from .errors import AudioError
from .packets import AudioChunk, Float32

X = TypeVar("X", contravariant=True)
Y = TypeVar("Y")
S = TypeVar("S")


class Stage(Protocol[X, Y, S]):
    """One step of the chain."""

    def start(self) -> S:
        """The state before the first packet."""
        ...

    def step(self, x: X, state: S) -> tuple[list[Y], S]:
        """Take one packet; give those that are ready now, in order (often one, sometimes none)."""
        ...

    def flush(self, state: S) -> tuple[list[Y], S]:
        """No more will come: give what was held back."""
        ...


def run_offline(stage: Stage[X, Y, S], packets: Iterable[X]) -> Iterator[Y]:
    """Push all packets through a fresh state, then flush."""
    state = stage.start()
    for x in packets:
        ys, state = stage.step(x, state)
        yield from ys
    ys, state = stage.flush(state)
    yield from ys


def chunked(samples: Float32, size: int) -> Iterator[AudioChunk]:
    """Cut `samples` (N,) into chunks of `size` samples; the last may be shorter.

    Raises AudioError if there are no samples or some are not finite.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise AudioError("The audio holds no samples. Choose a recording with speech in it.")
    if not np.isfinite(samples).all():
        raise AudioError("The audio holds samples that are not numbers (NaN or infinite). Export it again.")
    for start in range(0, len(samples), size):
        yield AudioChunk(np.ascontiguousarray(samples[start : start + size], np.float32))

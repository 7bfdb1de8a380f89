"""Training on several graphics cards, or machines: a process for each, which torchrun starts and calls a rank.

    torchrun --nproc-per-node 4 --no-python lsp-cam subject create …

Every rank trains the same weights on pictures of its own, and the gradients of a step are averaged: a step sees as many
times more pictures as there are ranks. The first rank alone writes files and speaks. Started in any other way there is
one rank, and nothing here does anything.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
from torch import distributed, nn

T = TypeVar("T")
PATIENCE = timedelta(days=7)  # while the first rank prepares a clip, or checks, the others wait for it


@contextmanager
def together() -> Iterator[None]:
    """Within it, the ranks that torchrun has started work together: on a card each, or, where there is none, on the
    processor. Raises RuntimeError of torch's if they do not find one another."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    on_cards = torch.cuda.is_available()
    if on_cards:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if on_cards else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def count() -> int:
    """How many ranks there are."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def number() -> int:
    """Which of them this is, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this is the rank that writes and speaks."""
    return number() == 0


def agreed(value: T) -> T:
    """What the first rank has given, in all ranks. All must ask, as in the functions below."""
    if count() == 1:
        return value
    held: list[Any] = [value]
    distributed.broadcast_object_list(held, src=0)
    first: T = held[0]
    return first


def gathered(value: T) -> list[T]:
    """What each rank has given, in their order."""
    if count() == 1:
        return [value]
    held: list[Any] = [None] * count()
    distributed.all_gather_object(held, value)
    return held


def cached(read: Callable[[], T]) -> T:
    """What `read` gives in each rank: the first reads alone, and what it leaves in a cache serves the others."""
    read_first = [read()] if is_first() else []
    agreed(None)
    return read_first[0] if read_first else read()


def average(parameters: Iterable[nn.Parameter]) -> None:
    """Give the gradients of `parameters` their mean over all ranks, in place."""
    if count() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    joined = torch.cat([g.flatten() for g in gradients])  # one exchange in place of hundreds
    distributed.all_reduce(joined)
    joined /= count()
    for gradient, mean in zip(gradients, torch.split(joined, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def own(rng: np.random.Generator) -> np.random.Generator:
    """Chance that no other rank has: the first rank's is `rng` itself."""
    return rng if is_first() else rng.spawn(number())[-1]

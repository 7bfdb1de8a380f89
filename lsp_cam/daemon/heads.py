"""What steering moves: the head of the portrait, unless a call puts our own in its place."""

from __future__ import annotations

from typing import Protocol

from ..stages.steer import Steering
from .listening import Listener
from .memory import Memory


class Head(Protocol):
    """A head that is steered."""

    @property
    def steering(self) -> Steering:
        """What moves it."""
        ...

    @property
    def head(self) -> tuple[float, ...] | None:
        """Where it is, as a row of a track; None before it moved."""
        ...

    def steer(self, steering: Steering) -> None:
        """Put it under `steering`. Raises UsageError."""
        ...


class PortraitHead:
    """The head of whoever is on air; how it is steered is remembered of the subject."""

    def __init__(self, listener: Listener, memory: Memory | None) -> None:
        self._listener, self._memory = listener, memory

    @property
    def steering(self) -> Steering:
        return self._listener.steering

    @property
    def head(self) -> tuple[float, ...] | None:
        return self._listener.show.head

    def steer(self, steering: Steering) -> None:
        self._listener.steer(steering)
        if self._memory is not None:
            self._memory.keep(self._listener.show.pipeline.subject.name, steering=steering)

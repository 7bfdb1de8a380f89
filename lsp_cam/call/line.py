"""What a call goes over: a line takes packets of speech and hands on those that come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .playout import Voiced

OnVoice = Callable[[Voiced], None]


@dataclass
class Traffic:
    """What went over a line, in packets and in bytes of speech, headers not counted."""

    packets_out: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    bytes_in: int = 0


class Line(Protocol):
    """An open line. `send` and `close` may be called from any thread."""

    traffic: Traffic

    @property
    def is_open(self) -> bool:
        """False once the other side has hung up, or the line is lost for good."""
        ...

    @property
    def loss(self) -> float:
        """The share of our packets that the other side says it misses; 0 where it says nothing."""
        ...

    def send(self, payload: bytes, timestamp: int) -> None:
        """Send a packet of speech whose first sample is at `timestamp` (48 kHz)."""
        ...

    def tell(self, message: str | bytes) -> bool:
        """Send a message beside the speech; False where it should be tried again later."""
        ...

    def close(self) -> None: ...

    def describe(self) -> str:
        """What it is, for people."""
        ...

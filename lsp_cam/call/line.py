"""What a call goes over: a line takes packets of speech and hands on those that come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .playout import Voiced

OnVoice = Callable[[Voiced], None]
OnMotion = Callable[[bytes], None]
"""Takes packets of `motion`; must not wait."""


@dataclass
class Traffic:
    """What went over a line, in packets and in bytes of speech (and of motion), headers not counted."""

    packets_out: int = 0
    bytes_out: int = 0
    packets_in: int = 0
    bytes_in: int = 0
    motion_packets_out: int = 0
    motion_bytes_out: int = 0

    def moved(self, packet: bytes) -> None:
        """A packet of motion goes out."""
        self.motion_packets_out += 1
        self.motion_bytes_out += len(packet)


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

    def move(self, packet: bytes) -> None:
        """Send a packet of `motion` beside the speech; one that the line has no room for is lost."""
        ...

    def tell(self, message: str | bytes) -> bool:
        """Send a message beside the speech; False where it should be tried again later."""
        ...

    def close(self) -> None: ...

    def describe(self) -> str:
        """What it is, for people."""
        ...


def unmoved(packet: bytes) -> None:
    """For whoever does not look at heads."""

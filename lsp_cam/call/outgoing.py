"""The track that gives aiortc our packets. Apart from `peer`, so that this one file needs the extra when it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack
from av.packet import Packet

QUEUED = 50


class VoiceTrack(MediaStreamTrack):
    """Packets of Opus, given out as they were put in; of too many the oldest goes.

    `on_sent` is told the timestamp of each when it is on its way.
    """

    kind = "audio"

    def __init__(self, time_base: Fraction, on_sent: Callable[[int], None]) -> None:
        super().__init__()
        self._on_sent, self._given = on_sent, -1
        self._queue: asyncio.Queue[Packet[Any]] = asyncio.Queue()
        self._time_base = time_base

    def put(self, payload: bytes, timestamp: int) -> None:
        """The next packet; on the loop's thread."""
        packet: Packet[Any] = Packet(payload)
        packet.pts, packet.time_base = timestamp, self._time_base
        if self._queue.qsize() >= QUEUED:
            self._queue.get_nowait()
        self._queue.put_nowait(packet)

    async def recv(self) -> Packet[Any]:
        """The next packet, when there is one. Whoever asks for it has sent the one before."""
        if self._given >= 0:
            self._on_sent(self._given)
        packet = await self._queue.get()
        self._given = packet.pts or 0
        return packet

"""The track that gives aiortc our packets. Apart from `peer`, so that this one file needs the extra when it is read."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack
from av.packet import Packet

QUEUED = 50


class VoiceTrack(MediaStreamTrack):
    """Packets of Opus, given out as they were put in; of too many the oldest goes."""

    kind = "audio"

    def __init__(self, time_base: Fraction) -> None:
        super().__init__()
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
        """The next packet, when there is one."""
        return await self._queue.get()

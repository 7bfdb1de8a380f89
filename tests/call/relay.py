"""A line between two network namespaces, as bad as it is told to be: tc's netem, in user space.

    ip netns exec MIDDLE python -m tests.call.relay LEFT RIGHT

Carries every frame from one interface to the other and back. A line of JSON on standard input (the fields of
`Weather`; `{}` changes nothing) is answered by one of counts so far. Weather concerns IPv4 alone: neighbours are found
in any. UDP's checksum is left out, because between two ends of a veth it was never put in.
"""

from __future__ import annotations

import dataclasses
import heapq
import json
import random
import select
import socket
import sys
import time
from dataclasses import dataclass
from itertools import count

ALL_PROTOCOLS, OUTGOING = 0x0003, 4
IPV4, UDP = b"\x08\x00", 17
ETHERNET, IP, UDP_HEAD = 14, 20, 8
HEADERS = ETHERNET + IP + UDP_HEAD


@dataclass(frozen=True)
class Weather:
    """`loss`: the share of datagrams that is lost; `burst_s` of every `burst_every_s` all are; `down`: all are.

    `delay_s` ± `jitter_s` (uniform, each for itself): how late they come. `overtaking`: the share that is not late.
    """

    loss: float = 0.0
    burst_s: float = 0.0
    burst_every_s: float = 2.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    overtaking: float = 0.0
    down: bool = False

    def lateness_s(self, now_s: float) -> float | None:
        """How late a datagram that comes now goes on; None: never."""
        if self.down or random.random() < self.loss or now_s % self.burst_every_s < self.burst_s:
            return None
        if random.random() < self.overtaking:
            return 0.0
        return self.delay_s + random.uniform(-self.jitter_s, self.jitter_s)


def kind_of(frame: bytes) -> str:
    """What a frame carries: rtp, rtcp, stun, dtls (the channel for messages, too) or other."""
    if frame[12:14] != IPV4 or frame[23] != UDP or len(frame) <= HEADERS:
        return "other"
    first, second = frame[HEADERS], frame[HEADERS + 1]
    if 128 <= first < 192:
        return "rtcp" if 192 <= second <= 223 else "rtp"
    return "dtls" if 20 <= first < 64 else "stun" if first < 4 else "other"


def main() -> None:
    """See above; until standard input ends."""
    sockets = []
    for name in sys.argv[1:3]:
        sockets.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS)))
        sockets[-1].bind((name, 0))
    across = {sockets[0]: sockets[1], sockets[1]: sockets[0]}
    weather, order = Weather(), count()
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    counts: dict[str, list[int]] = {}
    print("{}", flush=True)
    while True:
        wait_s = max(waiting[0][0] - time.monotonic(), 0.0) if waiting else 1.0
        ready = select.select([*sockets, sys.stdin], [], [], wait_s)[0]
        if sys.stdin in ready:
            asked = sys.stdin.readline()
            if not asked:
                return
            weather = dataclasses.replace(weather, **json.loads(asked))
            print(json.dumps(counts), flush=True)
        for number, side in enumerate(sockets):
            if side not in ready:
                continue
            frame, address = side.recvfrom(65_536)
            if address[2] == OUTGOING:
                continue
            kind = kind_of(frame)
            counted = counts.setdefault(f"{('left', 'right')[number]} {kind}", [0, 0])
            counted[0] += 1
            counted[1] += len(frame)
            now_s = time.monotonic()
            late_s: float | None = 0.0
            if kind != "other":
                frame = frame[: HEADERS - 2] + bytes(2) + frame[HEADERS:]
                late_s = weather.lateness_s(now_s)
            if late_s is not None:
                heapq.heappush(waiting, (now_s + late_s, next(order), across[side], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            *_, out, frame = heapq.heappop(waiting)
            try:
                out.send(frame)
            except OSError as error:
                print(f"relay: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()

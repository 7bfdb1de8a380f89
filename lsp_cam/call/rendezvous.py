"""Where two sides that cannot reach each other yet leave their codes: a small HTTP server that anyone can run.

    PUT  /call/ROOM/offer | answer     leave up to 1 KiB there (an offer once; up to 4 answers)
    GET  /call/ROOM/offer | answer     what lies there: 404 while nothing does

It keeps nothing: codes lie in memory for ten minutes at most, sealed by keys that it has not got (`address`), and
nothing is written down. It is bounded: in rooms, in bytes, and in requests by each address.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .address import MAX_SEALED

PORT = 8470
ROOM = re.compile(r"[0-9a-f]{32}")
KEPT_S = 600.0
MAX_ROOMS = 4096
MAX_ANSWERS = 4
REQUESTS_PER_S = 4.0
BURST = 40.0
MAX_CALLERS = 8192
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass
class Room:
    """What the two sides left."""

    since_s: float
    offer: bytes = b""
    answers: list[bytes] = field(default_factory=list)


class Rooms:
    """All rooms, and how many requests each address may still make."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._rooms: OrderedDict[str, Room] = OrderedDict()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def may_ask(self, caller: str) -> bool:
        """Count a request by `caller`, an address (IPv6: a household); False if it makes too many."""
        now_s = self._now()
        who = _household(caller)
        left, since_s = self._left.pop(who, (BURST, now_s))
        left = min(left + (now_s - since_s) * REQUESTS_PER_S, BURST)
        self._left[who] = (max(left - 1, 0.0), now_s)
        while len(self._left) > MAX_CALLERS:
            self._left.popitem(last=False)
        return left >= 1

    def leave(self, room: str, kind: str, sealed: bytes) -> bool:
        """Put something down; False where there is no room, or nobody has offered."""
        self._tidy()
        found = self._rooms.get(room)
        if kind == "offer":
            if found is not None or len(self._rooms) >= MAX_ROOMS:
                return False
            self._rooms[room] = Room(self._now(), sealed)
            return True
        if found is None or len(found.answers) >= MAX_ANSWERS:
            return False
        found.answers.append(sealed)
        return True

    def take(self, room: str, kind: str) -> bytes | None:
        """What lies there. An answer is given out once, and an offer until it lapses."""
        self._tidy()
        found = self._rooms.get(room)
        if found is None:
            return None
        if kind == "offer":
            return found.offer
        return found.answers.pop(0) if found.answers else None

    def __len__(self) -> int:
        return len(self._rooms)

    def _tidy(self) -> None:
        oldest_s = self._now() - KEPT_S
        while self._rooms and next(iter(self._rooms.values())).since_s < oldest_s:
            self._rooms.popitem(last=False)


def create_rendezvous(rooms: Rooms) -> Starlette:
    """The server as an application."""

    async def put(request: Request) -> Response:
        if refused := _refused(rooms, request):
            return refused
        body = bytearray()
        try:
            async for part in request.stream():
                body += part
                if len(body) > MAX_SEALED:
                    return _told(413, f"A code has {MAX_SEALED} bytes at most.")
        except ClientDisconnect:
            return _told(400, "Nobody is there any more.")
        if not body or not rooms.leave(request.path_params["room"], request.path_params["kind"], bytes(body)):
            return _told(
                409, "Nobody waits there, somebody was quicker, or all rooms are taken. Ask for a new address."
            )
        return _told(201, "It lies there.")

    async def get(request: Request) -> Response:
        if refused := _refused(rooms, request):
            return refused
        found = rooms.take(request.path_params["room"], request.path_params["kind"])
        if found is None:
            return _told(404, "Nothing lies there yet.")
        return Response(found, 200, HEADERS, "application/octet-stream")

    path = "/call/{room}/{kind}"
    return Starlette(routes=[Route(path, put, methods=["PUT"]), Route(path, get, methods=["GET"])])


def _refused(rooms: Rooms, request: Request) -> Response | None:
    caller = request.client.host if request.client else ""
    if not rooms.may_ask(caller):
        return _told(429, "Too many requests. Wait a moment.")
    if not ROOM.fullmatch(request.path_params["room"]) or request.path_params["kind"] not in ("offer", "answer"):
        return _told(404, "There is no such place.")
    return None


def _told(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status, HEADERS)


def _household(caller: str) -> str:
    try:
        address = ipaddress.ip_address(caller)
    except ValueError:
        return caller[:64]
    if address.version == 4:
        return caller
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)).network_address)

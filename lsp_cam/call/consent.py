"""Whether the other side still agrees to be sent to (RFC 7675), asked so that a bad line is no refusal.

aioice asks every five seconds, once, waits half a second for the answer, and hangs up after six times without one. A
fifth of lost packets, or a second there and back, ends a long call so. Here each question is repeated, answers may
take seconds, and what counts is the time since the last one.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Any

LOG = logging.getLogger(__name__)
EVERY_S = 5.0
REPEATED = 2
"""Sent again after 0.5 and 1 s more, answered within 2 s more."""
EXPIRES_S = 30.0


async def keep(connection: Any) -> None:
    """In place of the asking that an aioice connection does itself; closes it when there is no consent any more."""
    theirs: asyncio.Task[None] | None = connection._query_consent_task
    if theirs is not None:
        theirs.cancel()
    connection._query_consent_task = asyncio.current_task()  # so that it ends with the connection
    agreed_s = time.monotonic()
    while time.monotonic() - agreed_s < EXPIRES_S:
        await asyncio.sleep(EVERY_S * random.uniform(0.8, 1.2))
        asked_s = time.monotonic()
        if await _is_agreed(connection):
            agreed_s = asked_s
    LOG.warning("the other side has not answered for %.0f s; the call ends", EXPIRES_S)
    connection._query_consent_task = None
    await connection.close()


async def _is_agreed(connection: Any) -> bool:
    """Whether the other side answers over every pair of addresses in use."""
    from aioice import stun

    for pair in list(connection._nominated.values()):
        request = connection.build_request(pair, nominate=False)
        key = connection.remote_password.encode()
        try:
            await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=REPEATED)
        except (stun.TransactionError, ConnectionError, OSError):
            return False
    return True

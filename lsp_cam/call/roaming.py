"""A changed address: the call goes on from the new one.

The checks of ICE (RFC 8445) hold the connection together whatever address they come from, as long as they know the
password. So when the address that we speak from is gone, the other side is checked from those that there are now, and
answers to where that came from. aioice has no door for it; this is its own way of adding a pair, taken later.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

LOG = logging.getLogger(__name__)
EVERY_S = 1.0
COMPONENT = 1


def is_stranded(connection: Any) -> bool:
    """Whether the address that an aioice connection speaks from is not ours any more."""
    pair = connection._nominated.get(COMPONENT)
    return pair is not None and pair.local_candidate.type == "host" and pair.local_candidate.host not in _addresses()


async def move(connection: Any) -> None:
    """Let an aioice connection check the other side from the addresses that the machine has now."""
    from aioice.ice import CandidatePair

    bound = {protocol.local_candidate.host for protocol in connection._protocols}
    fresh = [address for address in _addresses() if address not in bound]
    if fresh:
        await connection.get_component_candidates(COMPONENT, fresh)
    for protocol in connection._protocols:
        if protocol.local_candidate.host in bound and protocol.local_candidate.host not in _addresses():
            continue
        for remote in connection._remote_candidates:
            pair = connection._find_pair(protocol, remote)
            if pair is None and protocol.local_candidate.can_pair_with(remote):
                pair = CandidatePair(protocol, remote)
                connection._check_list.append(pair)
            if pair is not None and pair.task is None:
                pair.state = CandidatePair.State.WAITING
                connection.check_start_task(pair)


async def follow(connection: Any) -> None:
    """Move the connection whenever it is stranded, until cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            if is_stranded(connection) and _addresses():
                LOG.info("this machine's address has changed; the call moves to the new one")
                await move(connection)
        except (OSError, ConnectionError) as error:
            LOG.warning("the call could not move to a new address yet: %s", error)


def _addresses() -> list[str]:
    from aioice import ice

    return list(ice.get_host_addresses(use_ipv4=True, use_ipv6=True))

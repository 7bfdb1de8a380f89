"""How two sides come together: by codes that people pass on, or by a rendezvous that passes them on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..errors import CallError
from .address import Address
from .codes import PREFIX, code_of, read_code
from .mailbox import Mailbox
from .peer import Peer

WAIT_S = 600.0

Show = Callable[[str], None]
Ask = Callable[[], str]


def listen_by_hand(peer: Peer, show: Show, ask: Ask) -> None:
    """Show a code, and take the one that comes back."""
    show(code_of(peer.offer(), "offer").text())
    peer.accept(read_code(ask(), "answer").sdp())
    peer.connect()


def listen_at(peer: Peer, address: Address, show: Show, stop: threading.Event) -> None:
    """Leave a code at the rendezvous, show its address, and take the answer."""
    with Mailbox(address) as mailbox:
        mailbox.leave(code_of(peer.offer(), "offer"))
        show(address.text())
        peer.accept(mailbox.wait("answer", stop, WAIT_S).sdp())
    peer.connect()


def dial_by_hand(peer: Peer, code: str, show: Show, timeout_s: float = WAIT_S) -> None:
    """Answer a code: show ours, which the other side has to take."""
    show(code_of(peer.answer(read_code(code, "offer").sdp()), "answer").text())
    peer.connect(timeout_s)


def dial_at(peer: Peer, address: Address) -> None:
    """Answer whoever waits at `address`."""
    with Mailbox(address) as mailbox:
        offer = mailbox.find("offer")
        if offer is None:
            raise CallError("Nobody waits at this address (any more). Ask for a new one; it is good for ten minutes.")
        mailbox.leave(code_of(peer.answer(offer.sdp()), "answer"))
    peer.connect()


def is_code(text: str) -> bool:
    """Whether this is a code rather than an address."""
    return text.strip().startswith(PREFIX)

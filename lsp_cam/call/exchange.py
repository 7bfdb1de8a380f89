"""Both sides' portraits over a call's channel for messages: ours is offered, theirs taken."""

from __future__ import annotations

import logging
import threading

from ..errors import CallError
from .giving import Giver
from .passing import Message, Offer, read_said
from .taking import Taker

LOG = logging.getLogger(__name__)
LOGGED = 20


class Exchange:
    """`hear` takes what comes over the channel, on the channel's thread; a call's `Crew` runs the two halves.

    `giver`: None where no portrait of ours is sent.
    """

    def __init__(self) -> None:
        self.giver: Giver | None = None
        self.taker: Taker | None = None
        self.refused = 0
        self._early: list[Message] = []
        self._lock = threading.Lock()

    def begin(self, giver: Giver | None, taker: Taker) -> None:
        """From now on messages are answered; those that came before, too."""
        with self._lock:
            self.giver, self.taker = giver, taker
            early, self._early = self._early, []
        for message in early:
            self.hear(message)

    def hear(self, message: Message) -> None:
        """Hand a message to whom it concerns; what says nothing is counted in `refused`. Does not wait."""
        with self._lock:
            taker = self.taker
            if taker is None:
                if len(self._early) < LOGGED:
                    self._early.append(message)
                return
        if isinstance(message, bytes):
            taker.hear_piece(message)
            return
        try:
            said = read_said(message)
        except CallError as error:
            self.refused += 1
            if self.refused <= LOGGED:
                LOG.warning("%s", error)
            return
        if isinstance(said, Offer):
            taker.hear_offer(said)
        elif self.giver is not None:
            self.giver.hear(said)

"""What becomes of the two sides' portraits in a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..daemon.crew import Crew
from ..store import Store
from ..subject import Subject
from .exchange import Exchange
from .giving import Giver
from .passing import Tell
from .taking import Proposal, Taker


@dataclass(frozen=True)
class Wishes:
    """`ours`: whose portrait the other side is offered, if anybody's; `agree`: whether theirs is taken.

    `report` tells the user what happens; `waived`: the user answers for a consent that theirs lacks.
    """

    ours: Subject | None
    agree: Callable[[Proposal], bool]
    report: Callable[[str], None]
    waived: bool = False
    store: Store = field(default_factory=Store)


def passing(exchange: Exchange, tell: Tell, wishes: Wishes) -> Callable[[Callable[[Subject], None], Crew], None]:
    """What `Conversation` runs: both portraits over `exchange`, told by `tell`."""

    def run(show: Callable[[Subject], None], crew: Crew) -> None:
        def seen(subject: Subject) -> None:
            show(subject)
            wishes.report(f"The other side is seen as '{subject.name}': {subject.manifest.title}.")

        taker = Taker(wishes.store, tell, wishes.agree, seen, wishes.report, wishes.waived)
        giver = Giver(wishes.ours, tell, wishes.report) if wishes.ours is not None else None
        exchange.begin(giver, taker)
        crew.run("taker", lambda: taker.run(crew.stop))
        if giver is not None:
            crew.run("giver", lambda: giver.run(crew.stop))

    return run

"""The doctor's advice, followed to the letter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .machine import Machine

DOCTOR = "lsp-cam doctor --json {} || [ $? = 1 ]"
Found = dict[str, dict[str, Any]]


def told(printed: str) -> Found:
    return {check["name"]: check for check in json.loads(printed)}


def doctor(machine: Machine, group: str, **how: Any) -> Found:
    """What the doctor finds, by name."""
    return told(machine.run(DOCTOR.format(group), **how))


def mended(
    machine: Machine, group: str, name: str, with_hands: Callable[[str], object] | None = None, **how: Any
) -> dict[str, Any]:
    """What the doctor found wrong; afterwards its advice has been followed, and it has nothing to say any more.

    `with_hands` does what a sentence asks for; else the advice is given to the shell as it stands.
    """
    before = doctor(machine, group, **how)[name]
    assert not before["ok"], before
    assert before["fix"], before
    if with_hands is None:
        after = told(machine.run(f"{{\n{before['fix']}\n}} >&2\n{DOCTOR.format(group)}", **how))[name]
    else:
        with_hands(before["fix"])
        after = doctor(machine, group, **how)[name]
    assert after["ok"], (before, after)
    return before

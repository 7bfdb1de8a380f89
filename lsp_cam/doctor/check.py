"""One thing that lsp-cam needs, looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .probes import Answer

Level = Literal["needed", "fallback", "optional"]


@dataclass(frozen=True)
class Check:
    """One thing. `fix` is empty where there is nothing to do; see `remedies` for what it holds else.

    `level`: `needed` to start at all; `fallback`: without it something stands in (the preview page for the
    camera, the sample speech for the microphone); `optional`: for some commands only, or for the information.
    """

    name: str
    ok: bool
    level: Level
    found: str
    fix: str = ""


def problem(answer: Answer) -> str:
    """What a probe says is wrong."""
    if answer.get("module"):
        return f"the package {answer['module']} is missing"
    return str(answer.get("problem", "not there"))

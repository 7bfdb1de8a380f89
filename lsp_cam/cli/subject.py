"""Commands of `subject`: not here yet."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Hang the commands on `app`."""

"""`service`: start at login, by systemd: install, remove, status."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from .console import Commands, print_json, print_line

NOT_ACTIVE = 3


def register(app: typer.Typer) -> None:
    """Hang the group on `app`."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, help="Start at login (Linux, systemd).")
    for command in (install, remove, status):
        group.command()(command)
    app.add_typer(group, name="service")


def install(
    now: Annotated[bool, typer.Option("--now", help="Go on air at once as well.")] = False,
    unconfined: Annotated[
        bool, typer.Option("--unconfined", help="Where systemd may not make user namespaces: shut in less.")
    ] = False,
) -> None:
    """Go on air at every login, with the settings of config.toml; again after a failure."""
    from ..service import manager

    path = manager.install(now=now, confined=not unconfined)
    print_line(f"Installed {path}.")
    print_line("It is on air." if now else "It starts at your next login. At once: systemctl --user start lsp-cam")


def remove() -> None:
    """Stop it, and do not start it any more."""
    from ..service import manager

    print_line("Removed." if manager.remove() else "There is no lsp-cam service.")


def status(as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False) -> None:
    """Whether it is installed, starts at login, and runs; exit code 3 when it does not run."""
    from ..service import manager

    found = manager.state()
    if as_json:
        print_json({**asdict(found), "unit": str(found.unit)})
    elif not found.installed:
        print_line("There is no lsp-cam service. To have one: lsp-cam service install")
    else:
        enabled, active = found.enabled or "systemd does not answer", found.active or "unknown"
        print_line(f"{found.unit}: at login {enabled}, now {active}")
        print_line("More: systemctl --user status lsp-cam, lsp-cam status")
    raise typer.Exit(0 if found.active == "active" else NOT_ACTIVE)

"""`trust`: whose bundles are believed: list, add, remove, and the user's own key."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import Commands, print_json, print_line, stdout, text

Fingerprint = Annotated[str, typer.Argument(metavar="FINGERPRINT", help="Eight groups, as `trust list` shows it.")]


def register(app: typer.Typer) -> None:
    """Hang the group on `app`."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, help="Signers of subjects: list, add, remove.")
    group.command("list")(list_signers)
    group.command()(add)
    group.command()(remove)
    group.command()(key)
    app.add_typer(group, name="trust")


def list_signers(as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False) -> None:
    """Who signed what you use, and since when you believe them."""
    from rich.table import Table

    from ..trust.signers import Signers

    known = Signers().known()
    if as_json:
        print_json(known.model_dump())
        return
    if not known.signers:
        print_line("No signer is known yet. The first one of each subject is believed, and shown.")
        return
    table = Table("fingerprint", "called", "since", "subjects")
    for fingerprint, signer in sorted(known.signers.items()):
        bound = ", ".join(sorted(name for name, by in known.subjects.items() if by == fingerprint))
        table.add_row(*(text(cell) for cell in (fingerprint, signer.label, signer.since, bound)))
    stdout().print(table)


def add(
    fingerprint: Fingerprint, label: Annotated[str, typer.Option("--label", help="What you call them.")] = ""
) -> None:
    """Believe a signer before you meet their bundles, or give a known one a name."""
    from ..trust.signers import Signers

    Signers().add(fingerprint, label)
    print_line(f"{fingerprint.strip().lower()} is believed.")


def remove(fingerprint: Fingerprint) -> None:
    """Forget a signer, so that their subjects may be signed by somebody else."""
    from ..trust.signers import Signers

    freed = Signers().remove(fingerprint)
    print_line(f"Forgotten. Whoever signs these next is believed: {', '.join(freed)}." if freed else "Forgotten.")


def key() -> None:
    """Show the fingerprint of your own key, with which `subject sign` signs; it is made if need be."""
    from ..trust.signing import key_file, own_fingerprint, own_key

    print_line(f"{own_fingerprint(own_key())}  (the secret key is in {key_file()})")

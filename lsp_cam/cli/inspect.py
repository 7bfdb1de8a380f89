"""`inspect`: whether a video or picture was made by lsp-cam."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import print_json, print_line

if TYPE_CHECKING:
    from ..trust.credentials import Credentials

NOT_MARKED = 1


def register(app: typer.Typer) -> None:
    """Hang the command on `app`."""
    app.command()(inspect)


def _told(credentials: Credentials) -> str:
    if credentials.state == "none":
        return "It holds no content credentials."
    if credentials.state == "broken":
        return "Its content credentials do not fit it: the file was changed after it was signed."
    what = f"made by {credentials.tool} ({str(credentials.source_type).rpartition('/')[2]})"
    shown = f", shows the subject '{credentials.subject}'" if credentials.subject else ""
    return f"Its content credentials hold: {what}{shown}, says {credentials.signer}, whom nobody vouches for."


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A video or picture.")],
    as_json: Annotated[bool, typer.Option("--json", help="For other programs.")] = False,
) -> None:
    """Look for the invisible mark of lsp-cam, and for content credentials; exit code 0 if the mark is there, else 1.

    The mark survives re-encoding, scaling and cropping, to a point: that it is missing proves nothing.
    """
    from dataclasses import asdict

    from ..trust.credentials import read_credentials
    from ..trust.detect import FALSE_ALARMS, inspect_video

    found, credentials = inspect_video(file), read_credentials(file)
    if as_json:
        print_json(
            {
                "marked": found.is_marked,
                "bit_error_rate": round(found.error_rate, 4) if found.is_marked else None,
                "evidence": round(found.z, 2),
                "threshold": round(found.threshold, 2),
                "false_alarms": FALSE_ALARMS,
                "credentials": asdict(credentials),
            }
        )
    elif found.is_marked:
        print_line(
            f"{file}: made by lsp-cam. Its mark reads with {found.error_rate:.1%} of 64 bits wrong "
            f"(evidence {found.z:.1f}, needed {found.threshold:.1f})."
        )
    else:
        print_line(
            f"{file}: no mark of lsp-cam (evidence {found.z:.1f}, needed {found.threshold:.1f}). It was not made by "
            "lsp-cam, or the mark is lost."
        )
    if not as_json:
        print_line(_told(credentials))
    if not found.is_marked:
        raise typer.Exit(NOT_MARKED)

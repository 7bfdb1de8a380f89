"""Steps, carried out as root: by sudo or pkexec where need be."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence

from ..errors import LspCamError, UsageError
from .plan import Step


class StepFailed(LspCamError):
    """A command said no; what was done before it stays, and `--undo` takes it away."""


def prefix() -> tuple[str, ...]:
    """What makes a command root's. UsageError where nothing does."""
    if os.geteuid() == 0:
        return ()
    for program in ("sudo", "pkexec"):
        if shutil.which(program):
            return (program,)
    raise UsageError("This needs root's rights, and neither sudo nor pkexec is here. Run `lsp-cam setup` as root.")


def carry_out(steps: Sequence[Step], words: tuple[str, ...], tell: Callable[[str], None]) -> None:
    """Show each step, then run it. Raises StepFailed at the first that fails and may not."""
    for step in steps:
        tell(f"$ {step.shown(words)}")
        try:
            done = subprocess.run(
                [*words, *step.command], input=step.text, text=True, check=False,
                stdout=subprocess.DEVNULL if step.text is not None else None,
            )  # fmt: skip
            status = done.returncode
        except FileNotFoundError:
            status = 127
        if status and not step.may_fail:
            raise StepFailed(
                f"`{step.shown(words)}` failed (status {status}). What was done before it stays; "
                "`lsp-cam setup --undo` takes it away."
            )

"""`setup`: what lsp-cam needs of a Linux system, with consent; `--undo` takes it away."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from .console import print_line

if TYPE_CHECKING:
    from ..setup.facts import Facts
    from ..setup.plan import Step

SECURE_BOOT = """
Secure Boot is on: the kernel takes the module only if it is signed with a key that this machine's firmware knows.
DKMS signs it with a key of this machine's own. If modprobe says "Key was rejected by service", have the key enrolled:
  sudo mokutil --import /var/lib/dkms/mok.pub     (Ubuntu: /var/lib/shim-signed/mok/MOK.der)
It asks for a password that you make up. Start the machine again, choose "Enroll MOK" in the blue screen, then
"Continue", and enter that password. Then run `lsp-cam setup` again."""
NO_MODULE = (
    "The camera's kernel module can't be had here: there are no headers for this kernel ({release}) among the "
    "packages. Start a kernel of the distribution's own, or use a PipeWire camera: lsp-cam start --camera pipewire"
)


def register(app: typer.Typer) -> None:
    """Hang the command on `app`."""
    app.command()(setup)


def setup(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take away all that setup did, and nothing else.")] = False,
) -> None:
    """What is missing on a Linux system for LSP Cam: installed, kept over restarts, and undone again.

    Every command is shown before it runs; root's rights come from sudo or pkexec.
    """
    if sys.platform != "linux":
        raise UsageError("This is for Linux. docs/windows-macos.md tells what to install here.")
    if undo:
        _undo(yes, dry_run)
    else:
        _set_up(yes, dry_run)


def _set_up(yes: bool, dry_run: bool) -> None:
    from ..setup.facts import facts
    from ..setup.plan import OPTIONS_FILE, plan

    found = facts()
    steps = plan(found)
    if not found.buildable:
        print_line(NO_MODULE.format(release=found.release))
    if not steps:
        print_line("Nothing is missing. Next: lsp-cam doctor, or lsp-cam start")
        return
    others = ", ".join(str(path) for path in found.others if path != OPTIONS_FILE)
    if others:
        print_line(f"{others} sets options of v4l2loopback, too; where they differ, the file that comes last counts.")
    if not _agreed(steps, yes, dry_run):
        return
    _run(steps, found)
    if not found.member:
        print_line(f"Log out and in, so that {found.user} may use the camera.")
    print_line(f"Done. Next: lsp-cam {'selftest' if found.buildable else 'start --camera pipewire'}")


def _run(steps: list[Step], found: Facts) -> None:
    from ..setup.act import StepFailed, carry_out, prefix

    try:
        carry_out(steps, prefix(), print_line)
    except StepFailed:
        if found.signed_only:
            print_line(SECURE_BOOT)
        raise
    if found.signed_only and not found.driver:
        print_line(SECURE_BOOT)


def _undo(yes: bool, dry_run: bool) -> None:
    from pathlib import Path

    from ..setup.act import carry_out, prefix
    from ..setup.plan import read_record
    from ..setup.plan import undo as undone

    record = read_record()
    if record is None:
        print_line("There is nothing to undo: setup never did anything here.")
        return
    steps, left = undone(record, loaded=Path("/sys/module/v4l2loopback").is_dir())
    if _agreed(steps, yes, dry_run):
        carry_out(steps, prefix(), print_line)
        print_line("Undone.")
    for line in left:
        print_line(line)


def _agreed(steps: list[Step], yes: bool, dry_run: bool) -> bool:
    """Show the steps; whether they may be carried out."""
    from ..setup.act import prefix

    words = prefix()
    for step in steps:
        if step.why:
            print_line(f"{step.why}:")
        print_line(f"  {step.shown(words)}")
    if dry_run:
        return False
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("Nobody can be asked here whether to do this: add --yes if that is what you want.")
    return typer.confirm("Do this?", default=False)

"""`subject create`: a subject from videos of somebody talking."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import print_line

if TYPE_CHECKING:
    from ..trust.consent import Consent

MAKER = "the person who made this subject"
OWN_WORDS = (
    "I made this subject from footage of myself. I agree that it shows me, for the uses named here. "
    "(Stated by the maker with --consent self on {day}.)"
)


def create(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Somebody talking, three to five minutes.")],
    name: Annotated[str, typer.Option("--name", help="What to call the subject.")],
    consent: Annotated[
        str,
        typer.Option(
            "--consent",
            metavar="self|ask|FILE",
            help="'self' if it shows you, 'ask' to be asked, or a file: the person's words, or .json.",
        ),
    ],
    licence: Annotated[str, typer.Option("--licence", metavar="TEXT", help="What others may do with the subject.")],
    size: Annotated[int, typer.Option("--size", help="Side of its pictures: 512 or 256.")] = 512,
    renderer: Annotated[str, typer.Option("--renderer", help="lite, or (for a graphics card) normal, large.")] = "lite",
    device: Annotated[str, typer.Option("--device", help="What to train the renderer on: auto, cpu or cuda.")] = "auto",
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", min=0.1, help="How long to train the renderer; under 20, all else is shorter."),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Processor threads to train with.")] = 2,
    work: Annotated[
        Path | None, typer.Option("--work", metavar="DIR", help="Where to work; up to 15 GB for five minutes at 512.")
    ] = None,
    vgg: Annotated[
        Path | None,
        typer.Option("--vgg", metavar="FILE", help="VGG19's weights (torchvision's), for --renderer normal and large."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier run stopped.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the one of the same name.")
    ] = False,
) -> None:
    """Make a subject from videos of somebody talking.

    One person, looking into the camera, hands down. Takes hours on a processor. It may be stopped at any moment and
    gone on with by --resume. Needs the train extra; needs no network. On several graphics cards:
    torchrun --nproc-per-node 4 --no-python lsp-cam subject create ...
    """
    from ..store import Store

    _check_choices(size, renderer, device, vgg)
    store = Store()
    store.check_free(name, replace)
    make, request = _maker()
    from ..train.ranks import together  # now that what training needs is known to be there

    wanted = request(
        videos=tuple(videos), name=name, consent=_consent(consent, name), licence=licence, size=size,
        renderer=renderer, device=device, minutes=minutes, threads=threads, vgg=vgg,
    )  # fmt: skip
    folder = work or store.home / "work" / name
    with together():
        subject = make(wanted, folder, resume=resume, say=print_line)
    if subject is None:  # one of several processes, and not the first
        return
    made = store.adopt(subject.root, replace=replace)
    print_line(f"Made '{made.name}'. To be it: lsp-cam start --subject {made.name}")
    print_line(f"What it was made of is still in {folder}; delete that folder when you no longer need it.")


def _check_choices(size: int, renderer: str, device: str, vgg: Path | None) -> None:
    from ..errors import UsageError

    if vgg is not None and not vgg.is_file():
        raise UsageError(f"There is no file {vgg}. Leave --vgg out to train without VGG19.")
    if vgg is not None and renderer == "lite":
        raise UsageError("The lite renderer has no use for --vgg. Leave it out, or choose --renderer normal.")

    for option, value, allowed in (
        ("--size", str(size), ("512", "256")),
        ("--renderer", renderer, ("lite", "normal", "large")),
        ("--device", device, ("auto", "cpu", "cuda")),
    ):
        if value not in allowed:
            raise UsageError(f"{option} {value} is not offered. Choose one of: {', '.join(allowed)}.")


def _consent(given: str, name: str) -> Consent:
    """Whose face it is, and their agreement."""
    from ..errors import UsageError
    from ..trust.consent import TEXT_MAX, Consent
    from .consent import ask_consent, read_consent

    if given == "ask":
        return ask_consent()
    if given == "self":
        day = datetime.now(UTC).date().isoformat()
        return Consent(shows=f"{name}, {MAKER}", statement=OWN_WORDS.format(day=day), agreed_by=MAKER, how="written")
    try:
        statement = Path(given).read_text(encoding="utf-8").strip()
        if given.endswith(".json"):
            return read_consent(statement, given)
    except (OSError, UnicodeDecodeError):
        raise UsageError(
            f"'{given}' is no text file. Say --consent self if the video shows you, or give a file with the statement "
            "of the person it shows."
        ) from None
    if not statement or len(statement) > TEXT_MAX:
        raise UsageError(f"The statement in {given} must have 1 to {TEXT_MAX} characters; it has {len(statement)}.")
    return Consent(shows=name, statement=statement, agreed_by=f"{name}, in the statement", how="written")


def _maker() -> tuple[Any, Any]:
    """What makes subjects; MissingExtra where what it is built on is not installed."""
    from ..errors import MissingExtra
    from ..folders import install_command

    try:
        from ..train.create import create as make
        from ..train.job import Request
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("lsp_cam"):
            raise
        raise MissingExtra(
            f"Making a subject needs {error.name}, which is not installed. Run: {install_command('train')}"
        ) from None
    return make, Request

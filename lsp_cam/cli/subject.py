"""`subject`: list, show, verify, install, export, remove, and the import of the authors' release."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import Commands, print_json, print_line, stdout, text
from .create import create
from .faces import faces

if TYPE_CHECKING:
    from ..store import Installed, Store
    from ..subject import Subject

Name = Annotated[str, typer.Argument(metavar="NAME", help="The subject's name, as `subject list` shows it.")]
Json = Annotated[bool, typer.Option("--json", help="For other programs.")]
Replace = Annotated[bool, typer.Option("--replace", help="Put it in the place of the one of the same name.")]


def register(app: typer.Typer) -> None:
    """Hang the group on `app`."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, help="People who can be shown: list, install, export.")
    group.command("list")(list_subjects)
    group.command()(show)
    group.command()(verify)
    group.command()(install)
    group.command()(export)
    group.command()(sign)
    group.command()(remove)
    group.command("import-release")(import_release)
    group.command()(create)
    group.command(hidden=True)(faces)
    app.add_typer(group, name="subject")


def list_subjects(as_json: Json = False) -> None:
    """Who is installed, and what is wrong with whom."""
    from rich.filesize import decimal
    from rich.table import Table

    from ..store import Store

    store = Store()
    entries = store.entries()
    if as_json:
        print_json([_summary(entry) for entry in entries])
        return
    if not entries:
        print_line(f"No subject is installed in {store.folder}. To add one: lsp-cam subject install FILE")
        return
    table = Table("name", "title", "size")
    table.add_column("licence", no_wrap=True, overflow="ellipsis", max_width=30)
    table.add_column("where")
    for entry in entries:
        where = "store" if entry.removable else "ships with lsp-cam"
        if entry.subject:
            manifest = entry.subject.manifest
            cells = [text(v) for v in (manifest.title, decimal(_size(entry.subject)), manifest.licence, where)]
        else:
            cells = [text(f"damaged: {entry.problem}", "red"), text(""), text(""), text(where)]
        table.add_row(text(entry.name, "bold"), *cells)
    stdout().print(table)


def show(name: Name, as_json: Json = False) -> None:
    """Tell all about a subject.

    Whom it shows, who agreed to that, its licence, where it comes from, its settings and its size.
    """
    from rich.filesize import decimal

    from ..store import Store

    subject = Store().get(name)
    manifest = subject.manifest
    if as_json:
        print_json(
            {**manifest.model_dump(), "path": str(subject.root), "bytes": _size(subject), "signer": subject.signer}
        )
        return
    lines = [
        ("name", manifest.name),
        ("title", manifest.title),
        *manifest.consent.lines(),
        ("signed by", subject.signer or "nobody"),
        *([manifest.compacted.line()] if manifest.compacted else []),
        ("licence", manifest.licence),
        ("provenance", manifest.provenance),
        ("created", manifest.created),
        ("folder", str(subject.root)),
    ]
    for stage, settings in sorted(manifest.settings.items()):
        lines += [(f"{stage}.{key}", str(value)) for key, value in settings.items()]
    lines += [(path, decimal(entry.bytes)) for path, entry in sorted(manifest.files.items())]
    lines.append(("together", decimal(_size(subject))))
    _print_pairs(lines)


def verify(name: Name) -> None:
    """Check every file of a subject."""
    from rich.filesize import decimal

    from ..store import Store

    subject = Store().get(name)
    subject.verify()
    print_line(f"{name}: {len(subject.manifest.files)} files, {decimal(_size(subject))}, all as the manifest says.")


def install(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .lspcam archive.")], replace: Replace = False
) -> None:
    """Add a subject from an archive.

    All of it is added, or nothing if something is wrong with it.
    """
    from ..store import Store

    store = Store()
    subject = store.install(file, replace=replace)
    _print_installed(subject)
    print_line(store.signers.meet(subject.name, subject.signer))


def export(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .lspcam archive to write.")],
    compact: Annotated[
        bool, typer.Option("--compact", help="Its compact form: rounded numbers, for thin lines.")
    ] = False,
    limit_mb: Annotated[int, typer.Option(min=1, max=2000, help="What the compact form takes at most.")] = 12,
) -> None:
    """Write a subject as an archive."""
    from rich.filesize import decimal

    from ..store import Store

    store = Store()
    if compact:
        _export_compact(store, name, file, limit_mb)
    else:
        store.export(name, file)
    print_line(f"{file}: {decimal(file.stat().st_size)}. To install it elsewhere: lsp-cam subject install {file.name}")


def _export_compact(store: Store, name: str, file: Path, limit_mb: int) -> None:
    """Make the compact form, say what it costs, and write it."""
    import tempfile

    from ..archive import check_target, pack
    from ..backends.choose import open_engine
    from ..compact.making import compact

    check_target(file, name)
    with tempfile.TemporaryDirectory() as work:
        made = compact(store.get(name), Path(work) / name, limit_mb, open_engine("onnxruntime"))
        pack(made, file)
    heading, told = made.manifest.compacted.line() if made.manifest.compacted else ("", "")
    print_line(f"{heading}: {told}")


def sign(name: Name) -> None:
    """Sign a subject with your key, so that others can tell that it is yours and unchanged."""
    from ..store import Store
    from ..trust.signing import own_key

    store = Store()
    subject = store.sign(name, own_key())
    print_line(store.signers.meet(name, subject.signer))
    print_line(f"Signed '{name}'. Tell others your fingerprint: {subject.signer}")


def remove(name: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Delete a subject from the store."""
    from ..errors import DaemonError, UsageError
    from ..store import Store

    store = Store()
    root = store.find_removable(name)
    if _shown_now() == name:
        raise DaemonError(f"'{name}' is being shown. Run `lsp-cam stop` or `lsp-cam switch` to another one first.")
    if not yes:
        if not _asks():
            raise UsageError(f"This deletes {root}. Nobody can be asked here: add --yes if that is what you want.")
        typer.confirm(f"Delete {root}?", abort=True)
    store.remove(name)
    print_line(f"Removed '{name}'.")


def import_release(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The subject's folder in the release.")],
    apc: Annotated[Path, typer.Option("--apc", metavar="FILE", help="The speech encoder of the release.")],
    name: Annotated[str, typer.Option("--name", help="What to call it here.")],
    settings: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="A .yaml; the published settings are built in.")
    ] = None,
    replace: Replace = False,
) -> None:
    """Make a subject of the authors' release.

    The authors of Live Speech Portraits released May, Obama1, Obama2, Nadella and McStay. Needs the train extra.
    """
    from ..store import Store

    convert = _converter()
    store = Store()
    store.check_free(name, replace)
    with store.incoming() as work:
        subject = convert(folder, apc, settings, name, work / "bundle")
        _print_installed(store.take(subject.root, work, replace=replace))


def _asks() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty()


def _converter() -> Any:
    """The import of releases; MissingExtra where what it is built on is not installed."""
    from ..errors import MissingExtra
    from ..folders import install_command

    try:
        from ..train.release import import_release as convert
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("lsp_cam"):
            raise
        raise MissingExtra(
            f"Importing a release needs {error.name}, which is not installed. Run: {install_command('train')}"
        ) from None
    return convert


def _shown_now() -> str | None:
    """The subject that a running daemon shows."""
    from ..daemon.runtime import Runtime
    from ..errors import DaemonError

    try:
        runtime = Runtime()
    except DaemonError:
        return None
    record = runtime.record() if runtime.is_running() else None
    return record.subject if record else None


def _summary(entry: Installed) -> dict[str, Any]:
    subject = entry.subject
    return {
        "name": entry.name,
        "title": subject.manifest.title if subject else None,
        "licence": subject.manifest.licence if subject else None,
        "bytes": _size(subject) if subject else None,
        "path": str(entry.root),
        "removable": entry.removable,
        "problem": entry.problem,
    }


def _size(subject: Subject) -> int:
    return sum(entry.bytes for entry in subject.manifest.files.values())


def _print_installed(subject: Subject) -> None:
    manifest = subject.manifest
    print_line(f"Installed '{subject.name}': {manifest.title}.")
    _print_pairs([*manifest.consent.lines(), ("licence", manifest.licence)])
    print_line(f"To be it: lsp-cam start --subject {subject.name}")


def _print_pairs(pairs: list[tuple[str, str]]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in pairs:
        table.add_row(text(key, "bold"), text(value))
    stdout().print(table)

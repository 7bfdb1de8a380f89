"""`engine`: what runs the networks on this machine: list, build, bench, clean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .console import Commands, print_json, print_line

if TYPE_CHECKING:
    from collections.abc import Iterator

SubjectName = Annotated[str | None, typer.Option("--subject", "-s", help="Whose networks.")]
Json = Annotated[bool, typer.Option("--json", help="For other programs.")]


def register(app: typer.Typer) -> None:
    """Hang the group on `app`."""
    group = typer.Typer(cls=Commands, no_args_is_help=True, help="What runs the networks on this machine.")
    for name, command in (("list", listed), ("build", build), ("bench", bench), ("clean", clean)):
        group.command(name)(command)
    app.add_typer(group, name="engine")


def listed(json: Json = False) -> None:
    """Engines that work here, and compiled networks that are kept."""
    from ..backends.choose import plans, survey
    from ..backends.ort import OrtEngine

    found = survey()
    files = [(file.name, file.stat().st_size) for file in plans().files()]
    if json:
        print_json(
            {
                "engines": [vars(one) for one in found],
                "cpu": OrtEngine.version,
                "kept": [{"file": name, "bytes": size} for name, size in files],
            }
        )
        return
    print_line(f"onnxruntime: works, on the processor ({OrtEngine.version})")
    for one in found:
        print_line(f"{one.name}: " + (f"works, {one.version} on {one.device}" if one.usable else one.why))
    for name, size in files:
        print_line(f"kept: {name}, {size / 2**20:.1f} MiB")


def build(
    subject: SubjectName = None,
    engine: Annotated[str, typer.Option("--engine", help="tensorrt-rtx or tensorrt.")] = "tensorrt-rtx",
) -> None:
    """Compile a subject's networks for a graphics card. tensorrt-rtx does so without one."""
    from ..backends.choose import ON_CARDS, plans
    from ..backends.cuda import Cuda
    from ..backends.trt import ANY_DEVICE, BUILT_HERE, Library, built
    from ..errors import UsageError

    if engine not in ON_CARDS:
        raise UsageError(f"--engine {engine}: only {' and '.join(ON_CARDS)} are compiled beforehand.")
    library = Library(engine)
    device = ANY_DEVICE if engine == BUILT_HERE else Cuda().device()
    for name, network in _networks(subject):
        plan = built(library, plans(), device, network, name)
        print_line(f"{name}: {len(plan) / 2**20:.1f} MiB")


def bench(subject: SubjectName = None, json: Json = False) -> None:
    """Time each network on each engine that works here. `lsp-cam bench` times the whole chain."""
    from ..backends.auto import milliseconds
    from ..backends.choose import open_engine, survey

    engines = [open_engine(name) for name in ("onnxruntime", *(f.name for f in survey() if f.usable))]
    rows = [
        {"network": name, "engine": engine.name, "ms": round(milliseconds(engine.load(network, name)), 4)}
        for name, network in _networks(subject)
        for engine in engines
    ]
    if json:
        print_json(rows)
        return
    for row in rows:
        print_line(f"{row['network']:28} {row['engine']:14} {row['ms']:9.3f} ms")


def clean() -> None:
    """Delete all compiled networks, and forget what was measured. They are made again when they are needed."""
    from ..backends.choose import memory, plans

    count = plans().clean()
    memory().clear()
    print_line(f"{count} compiled networks deleted.")


def _networks(subject: str | None) -> Iterator[tuple[str, bytes]]:
    """Name and file of each network of a subject that may be shown at all; this process is to run them."""
    from ..store import Store
    from ..trust.limits import limit_memory

    store = Store()
    chosen = store.get(subject) if subject else store.default()
    limit_memory()
    for file in sorted(chosen.manifest.files):
        if file.endswith(".onnx"):
            yield f"{chosen.name}/{file}", chosen.read(file)

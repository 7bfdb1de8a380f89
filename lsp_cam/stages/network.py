"""Networks of a bundle, loaded and checked against what their stage will feed them."""

from __future__ import annotations

from collections.abc import Mapping

from ..backends.base import Engine, Model, TensorSpec
from ..errors import BundleError
from ..subject import Subject

Shapes = Mapping[str, tuple[int, ...]]


def load_network(
    subject: Subject, engine: Engine, file: str, inputs: Shapes, outputs: Shapes, most_threads: int = 2
) -> Model:
    """The network `file` of the bundle. Small networks read their weights and do little else: a second thread reads as
    fast again (`most_threads`), a third finds no memory free.

    Raises BundleError unless it has exactly these inputs and outputs (docs/architecture.md), and what
    `Subject.read` and `Engine.load` raise.
    """
    model = engine.load(subject.read(file), f"{subject.name}/{file}", min(most_threads, engine.small_threads))
    for kind, wanted, got in (("input", inputs, model.inputs), ("output", outputs, model.outputs)):
        _check(f"{subject.name}: {file}", kind, wanted, got)
    return model


def _check(where: str, kind: str, wanted: Shapes, got: Mapping[str, TensorSpec]) -> None:
    if set(wanted) != set(got):
        raise BundleError(f"{where} has the {kind}s {sorted(got)}, not {sorted(wanted)}. Install the bundle again.")
    for name, shape in wanted.items():
        if got[name].shape != shape or got[name].dtype != "float32":
            raise BundleError(
                f"{where}: {kind} '{name}' is {got[name].dtype} {got[name].shape}, not float32 {shape}. "
                "Install the bundle again."
            )

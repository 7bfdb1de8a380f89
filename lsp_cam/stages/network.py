"""Networks of a bundle, loaded and checked against what their stage will feed them."""

from __future__ import annotations

from collections.abc import Mapping

from ..backends.base import Engine, Model, TensorSpec
from ..errors import BundleError
from ..subject import Subject

Shapes = Mapping[str, tuple[int, ...]]


def load_network(subject: Subject, engine: Engine, file: str, inputs: Shapes, outputs: Shapes) -> Model:
    """The network `file` of the bundle, on one thread: what a second wins on a quiet machine is lost many times over on
    a busy one, where it has to be waited for.

    Raises BundleError unless it has exactly these inputs and outputs (docs/architecture.md), and what
    `Subject.read` and `Engine.load` raise.
    """
    model = engine.load(subject.read(file), f"{subject.name}/{file}", threads=1)
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

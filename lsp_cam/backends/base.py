"""What stages know of an inference engine: named arrays in, named arrays out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ModelState = dict[str, Array]
ANY = -1


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Shape (ANY where it may vary, as no network of a bundle's may) and dtype of one input or output."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Model(Protocol):
    """A network, loaded. State tensors are paired by name: input `x_in`, output `x_out`."""

    @property
    def inputs(self) -> Mapping[str, TensorSpec]: ...

    @property
    def outputs(self) -> Mapping[str, TensorSpec]: ...

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name for all inputs by name; inputs held by `hold` may be left out."""
        ...

    def hold(self, constants: Mapping[str, Array]) -> None:
        """Keep these inputs (uploaded once) for every later `run`."""
        ...


class Engine(Protocol):
    """Loads models for one machine. `threads`: what a network may use."""

    threads: int

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def load(self, onnx: bytes, name: str, threads: int | None = None) -> Model:
        """A model from the bytes of an ONNX file; raises ModelError if it does not load.

        `threads` overrides the engine's number of threads for this model.
        """
        ...


def zero_state(model: Model) -> ModelState:
    """Zeros for every state input (`*_in`), under the name without its suffix."""
    return {name[:-3]: np.zeros(spec.shape, spec.dtype) for name, spec in model.inputs.items() if name.endswith("_in")}


def step_model(model: Model, feeds: Mapping[str, Array], state: ModelState) -> tuple[dict[str, Array], ModelState]:
    """One call with state; gives the outputs that are not state, and the next state."""
    got = model.run({**feeds, **{f"{k}_in": v for k, v in state.items()}})
    following = {k: got.pop(f"{k}_out") for k in state}
    return got, following

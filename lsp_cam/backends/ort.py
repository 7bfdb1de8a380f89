"""ONNX Runtime: on the processor, the engine that is always there; on other devices where its build knows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ..errors import ModelError
from .base import ANY, Array, TensorSpec
from .providers import PROVIDERS

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OrtModel:
    """A session; see `backends.base.Model`."""

    def __init__(self, session: ort.InferenceSession, name: str) -> None:
        self._session = session
        self._name = name
        self._held: dict[str, Array] = {}
        self.inputs = {i.name: _spec(i, name) for i in session.get_inputs()}
        self.outputs = {o.name: _spec(o, name) for o in session.get_outputs()}
        self._output_names = list(self.outputs)

    @property
    def is_free(self) -> bool:
        """Whether a shape is free, which not every provider bears."""
        return any(ANY in spec.shape for spec in self.inputs.values())

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        try:
            got = self._session.run(self._output_names, {**self._held, **feeds} if self._held else feeds)
        except Exception as error:  # the runtime raises its own types, without a common base
            raise ModelError(f"The {self._name} network failed: {error}") from error
        return dict(zip(self._output_names, got, strict=True))

    def hold(self, constants: Mapping[str, Array]) -> None:
        self._held.update({k: np.ascontiguousarray(v) for k, v in constants.items()})


class OrtEngine:
    """Loads sessions with `threads` threads each; they spin within a run, and sleep between runs.

    shared: networks run beside one another, as they do on air. Then nothing spins.
    provider: what runs them (a name of `PROVIDERS`) in place of the processor, which keeps the operators that the
    provider does not know, and networks of free shapes that it refuses; `folder` is where it may keep what it compiled.
    """

    version = f"onnxruntime {ort.__version__}"

    def __init__(
        self, threads: int = 2, *, shared: bool = False, provider: str = "", folder: Path = Path("engines")
    ) -> None:
        self.threads = threads
        self.name = provider or "onnxruntime"
        self._provider = PROVIDERS[provider] if provider else None
        self._folder = folder
        self._spinning = ("session.intra_op.allow_spinning", "0") if shared else ("session.force_spinning_stop", "1")

    def load(self, onnx: bytes, name: str, threads: int | None = None) -> OrtModel:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3 if self._provider is None else 4
        options.add_session_config_entry(*self._spinning)
        chosen: list[Any] = ["CPUExecutionProvider"]
        if self._provider is not None:
            options.enable_mem_pattern = self._provider.arena
            chosen.insert(0, (self._provider.ort, self._provider.options(threads or self.threads, self._folder)))
        try:
            session = ort.InferenceSession(onnx, options, providers=chosen)
        except Exception as error:  # as above
            if self._provider is not None and (plain := OrtEngine(self.threads).load(onnx, name, threads)).is_free:
                return plain
            raise ModelError(f"The {name} network does not load: {error}") from error
        if self._provider is not None and session.get_providers()[0] != self._provider.ort:
            raise ModelError(f"The {name} network does not load: {self._provider.ort} does not start here.")
        return OrtModel(session, name)


def _spec(node: Any, name: str) -> TensorSpec:
    if node.type not in _DTYPES:
        raise ModelError(f"The {name} network's '{node.name}' needs a plain type, not {node.type}.")
    return TensorSpec(tuple(n if isinstance(n, int) else ANY for n in node.shape), np.dtype(_DTYPES[node.type]))

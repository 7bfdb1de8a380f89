"""ONNX Runtime: the engine that is always there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

from ..errors import ModelError
from .base import ANY, Array, TensorSpec

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

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        try:
            got = self._session.run(self._output_names, {**self._held, **feeds} if self._held else feeds)
        except Exception as error:  # the runtime raises its own types, without a common base
            raise ModelError(f"The {self._name} network failed: {error}") from error
        return dict(zip(self._output_names, got, strict=True))

    def hold(self, constants: Mapping[str, Array]) -> None:
        self._held.update({k: np.ascontiguousarray(v) for k, v in constants.items()})


class OrtEngine:
    """Loads sessions on the CPU with `threads` threads each; they spin within a run, and sleep between runs.

    shared: networks run beside one another, as they do on air. Then nothing spins.
    """

    name = "onnxruntime"
    version = f"onnxruntime {ort.__version__}"

    def __init__(self, threads: int = 2, *, shared: bool = False) -> None:
        self.threads = threads
        self._spinning = ("session.intra_op.allow_spinning", "0") if shared else ("session.force_spinning_stop", "1")

    def load(self, onnx: bytes, name: str, threads: int | None = None) -> OrtModel:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry(*self._spinning)
        try:
            session = ort.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # as above
            raise ModelError(f"The {name} network does not load: {error}") from error
        return OrtModel(session, name)


def _spec(node: Any, name: str) -> TensorSpec:
    if node.type not in _DTYPES:
        raise ModelError(f"The {name} network's '{node.name}' needs a plain type, not {node.type}.")
    return TensorSpec(tuple(n if isinstance(n, int) else ANY for n in node.shape), np.dtype(_DTYPES[node.type]))

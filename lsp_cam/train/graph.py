"""A thin hand for writing ONNX graphs node by node, where the exporter of torch would write a slow one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lsp_cam.errors import ModelError

OPSET = 17
IR_VERSION = 9  # what the oldest ONNX Runtime that we accept reads

Array = NDArray[Any]
State = Mapping[str, Any]
Shape = tuple[int, ...]


class Weights:
    """A network's state dict (of torch tensors or arrays) as float32 arrays, every shape checked on the way out."""

    def __init__(self, state: State, network: str) -> None:
        self._state = state
        self._network = network

    def has(self, key: str) -> bool:
        """Whether there is an entry `key`."""
        return key in self._state

    def take(self, key: str, *shape: int) -> Array:
        """Entry `key` as an array of `shape`; ModelError if it is missing, misshapen or not finite."""
        if key not in self._state:
            raise ModelError(f"The weights of the {self._network} network lack '{key}'. Is this the right file?")
        value = self._state[key]
        array = np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value, np.float32)
        if array.shape != shape:
            raise ModelError(f"The {self._network} network's '{key}' has the shape {array.shape}, not {shape}.")
        if not np.isfinite(array).all():
            raise ModelError(f"The {self._network} network's '{key}' holds values that are not finite.")
        return array

    def linear(self, key: str, inputs: int, outputs: int) -> tuple[Array, Array]:
        """Weight (outputs, inputs) and bias (outputs,) of a linear layer."""
        return self.take(f"{key}.weight", outputs, inputs), self.take(f"{key}.bias", outputs)

    def normed(self, key: str, norm: str, inputs: int, outputs: int) -> tuple[Array, Array]:
        """A linear layer with the batch norm that follows it (running statistics, eps 1e-5) folded in."""
        weight, bias = self.linear(key, inputs, outputs)
        mean, variance = self.take(f"{norm}.running_mean", outputs), self.take(f"{norm}.running_var", outputs)
        factor = self.take(f"{norm}.weight", outputs) / np.sqrt(variance.astype(np.float64) + 1e-5)
        return weight * factor[:, None], (bias - mean) * factor + self.take(f"{norm}.bias", outputs)


class Graph:
    """Collects nodes and constants; values are known by their names."""

    def __init__(self, output_kind: int = TensorProto.FLOAT) -> None:
        """`output_kind`: the element type of the file's outputs."""
        self._output_kind = output_kind
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, array: Any) -> str:
        """A constant; floats become float32, integers int64."""
        array = np.asarray(array)
        kind = np.int64 if array.dtype.kind == "i" else np.float32
        name = f"const{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array, kind), name))
        return name

    def nodes(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """A node; gives its outputs' names back."""
        self._nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs

    def node(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """A node with one output, called `to` or else numbered."""
        return self.nodes(op, list(inputs), [to or f"value{len(self._nodes)}"], **attributes)[0]

    def split(self, x: str, sizes: list[int], axis: int = 1) -> list[str]:
        """Consecutive pieces of `x` along `axis`."""
        names = [f"value{len(self._nodes)}_{i}" for i in range(len(sizes))]
        return self.nodes("Split", [x, self.constant(np.array(sizes))], names, axis=axis)

    def sequence(self, x: str) -> str:
        """Rows (T, W) as a sequence of one stream (T, 1, W), as recurrent layers take it."""
        return self.node("Unsqueeze", x, self.constant(np.array([1])))

    def unsequence(self, x: str, to: str = "") -> str:
        """A sequence (T, 1, W) as rows (T, W)."""
        return self.node("Squeeze", x, self.constant(np.array([1])), to=to)

    def linear(self, x: str, weight: Array, bias: Array | str, to: str = "") -> str:
        """x (N, I) times weight (O, I) transposed, plus bias (a constant, or a value that broadcasts)."""
        add = bias if isinstance(bias, str) else self.constant(bias)
        return self.node("Gemm", x, self.constant(weight.T), add, to=to)

    def leaky(self, x: str, slope: float = 0.2) -> str:
        """Leaky ReLU."""
        return self.node("LeakyRelu", x, alpha=slope)

    def finish(self, name: str, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> bytes:
        """The file: float32 `inputs`, and `outputs`, with their static shapes; checked."""
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()],
            [helper.make_tensor_value_info(k, self._output_kind, v) for k, v in outputs.items()],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="lsp-cam")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

"""A thin hand for writing ONNX graphs node by node, where the exporter of torch would write a slow one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from lsp_cam.errors import ModelError
from lsp_cam.train.eight_bit import BLOCK, EIGHT_BIT_PRODUCTS, SMALLEST, in_eight_bits, in_eight_bits_by_row

OPSET = 17
IR_VERSION = 9  # what the oldest ONNX Runtime that we accept reads
CONTRIB = "com.microsoft"  # operators of ONNX Runtime's own

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
    """Collects nodes and constants; values are known by their names.

    eight_bit: large weights are kept, and multiplied, as eight-bit numbers (`train.eight_bit`).
    output_kind: the element type of the file's outputs.
    """

    def __init__(self, eight_bit: bool = False, output_kind: int = TensorProto.FLOAT) -> None:
        self.eight_bit = eight_bit
        self._output_kind = output_kind
        self._nodes: list[onnx.NodeProto] = []
        self._prefix = ""
        self._constants: list[onnx.TensorProto] = []

    def constant(self, array: Any) -> str:
        """A constant; floats become float32, integers int64, and bytes stay bytes."""
        array = np.asarray(array)
        kind = (
            array.dtype if array.dtype in (np.uint8, np.int8) else np.int64 if array.dtype.kind == "i" else np.float32
        )
        name = f"const{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array, kind), name))
        return name

    def nodes(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """A node; gives its outputs' names back."""
        self._nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs

    def node(self, op: str, *inputs: str, to: str = "", **attributes: Any) -> str:
        """A node with one output, called `to` or else numbered."""
        return self.nodes(op, list(inputs), [to or f"{self._prefix}value{len(self._nodes)}"], **attributes)[0]

    def split(self, x: str, sizes: list[int], axis: int = 1) -> list[str]:
        """Consecutive pieces of `x` along `axis`."""
        names = [f"{self._prefix}value{len(self._nodes)}_{i}" for i in range(len(sizes))]
        return self.nodes("Split", [x, self.constant(np.array(sizes))], names, axis=axis)

    def sequence(self, x: str) -> str:
        """Rows (T, W) as a sequence of one stream (T, 1, W), as recurrent layers take it."""
        return self.node("Unsqueeze", x, self.constant(np.array([1])))

    def unsequence(self, x: str, to: str = "") -> str:
        """A sequence (T, 1, W) as rows (T, W)."""
        return self.node("Squeeze", x, self.constant(np.array([1])), to=to)

    def linear(self, x: str, weight: Array, bias: Array | str, to: str = "") -> str:
        """x (N, I) times weight (O, I) transposed, plus bias (a constant, or a value that broadcasts)."""
        if self.eight_bit and weight.size >= SMALLEST:
            return self._row_product(x, weight, bias, to)
        add = bias if isinstance(bias, str) else self.constant(bias)
        return self.node("Gemm", x, self.constant(weight.T), add, to=to)

    def rows_of(self, x: str, count: int, width: int) -> list[str]:
        """The rows of x (count, width), as `linear` takes them best: (1, width), in eight bits (width,)."""
        if not self.eight_bit:
            return self.split(x, [1] * count, axis=0)
        return self.split(self.node("Reshape", x, self.constant(np.array([-1]))), [width] * count, axis=0)

    def linear_of_rows(self, x: str, weight: Array, bias: Array, to: str = "") -> str:
        """The same, for an x of several rows: in eight bits that is another operator's business."""
        if not self.eight_bit or weight.size < SMALLEST:
            return self.linear(x, weight, bias, to)
        levels, scales = in_eight_bits_by_row(weight)
        zeros = self.constant(np.zeros(len(weight), np.int8))
        fixed = [self.constant(levels.T), self.constant(scales), zeros, self.constant(bias)]
        return self.node("DynamicQuantizeMatMul", x, *fixed, to=to, domain=CONTRIB)

    def _row_product(self, x: str, weight: Array, bias: Array | str, to: str) -> str:
        """`linear` in eight bits for one row: x (I,) or (1, I), bias (O,)."""
        levels, scales = in_eight_bits(weight)
        outputs, width = weight.shape
        add = bias if isinstance(bias, str) else self.constant(bias)
        return self.node(
            "MatMulNBits", x, self.constant(levels), self.constant(scales), "", "", add, to=to, domain=CONTRIB,
            K=width, N=outputs, bits=8, block_size=BLOCK, accuracy_level=EIGHT_BIT_PRODUCTS,
        )  # fmt: skip

    def lstm_in_eight_bits(
        self, x: str, w: Array, r: Array, bias: Array, hidden: str, cell: str, outputs: list[str]
    ) -> None:
        """ONNX's LSTM with weights (4H, I) and (4H, H) in eight bits, a scale for each of their rows."""
        (w_levels, w_scales), (r_levels, r_scales) = in_eight_bits_by_row(w), in_eight_bits_by_row(r)
        fixed = [self.constant(part[None]) for part in (w_levels.T, r_levels.T, bias)]
        zero = self.constant(np.zeros((1, len(w)), np.int8))
        scales = [self.constant(w_scales[None]), zero, self.constant(r_scales[None]), zero]
        inputs = [x, *fixed, "", hidden, cell, "", *scales]
        self.nodes("DynamicQuantizeLSTM", inputs, outputs, domain=CONTRIB, hidden_size=r.shape[1])

    def in_turn(self, hidden: str, rows: str, cell: Callable[[str, str], str], width: int) -> tuple[str, str]:
        """All outputs (T, 1, H) and the last (1, H) of `cell`, from hidden (1, H) over rows (T, 1, width) in turn.

        cell: names of hidden (1, H) and of a row (1, width) to the name of the next hidden; what it adds to the graph
        is there once, whatever T.
        """
        tag, outside = f"cell{len(self._nodes)}", self._nodes
        before, row, output = f"{tag}_before", f"{tag}_row", f"{tag}_output"
        self._nodes, self._prefix = [], f"{tag}_"
        after = cell(before, row)
        self.node("Identity", after, to=output)
        inside, self._nodes, self._prefix = self._nodes, outside, ""
        given = [helper.make_tensor_value_info(before, TensorProto.FLOAT, None)]
        given.append(helper.make_tensor_value_info(row, TensorProto.FLOAT, [1, width]))
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (after, output)]
        body = helper.make_graph(inside, tag, given, made)
        last, every = self.nodes("Scan", [hidden, rows], [f"{tag}_last", f"{tag}_every"], num_scan_inputs=1, body=body)
        return every, last

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
        opsets = [helper.make_opsetid("", OPSET)] + [helper.make_opsetid(CONTRIB, 1)] * self.eight_bit
        model = helper.make_model(graph, opset_imports=opsets, producer_name="lsp-cam")
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

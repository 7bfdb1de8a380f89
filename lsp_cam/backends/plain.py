"""An ONNX file in plain operators and floats, for compilers that know nothing else (TensorRT).

ONNX Runtime's own operators of eight bits become products with the weights that they stand for, values are not rounded
to eight bits on their way, a Scan is written out row by row, and levels (uint8) are floats until they leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
CONTRIB = "com.microsoft"
ZERO_OF_EIGHT_BITS = 128  # what MatMulNBits takes off its levels where it is told nothing else
LEVELS = frozenset({TensorProto.UINT8, TensorProto.INT8})


def plain(file: bytes) -> bytes:
    """The same network in operators of ONNX itself, its inputs and outputs as before.

    Answers differ by what eight bits cost: about one percent of a value's deviation, a fifth of a level of a picture.
    """
    model = onnx.load_from_string(file)
    _Plain(model.graph).rewrite()
    kept = [opset for opset in model.opset_import if opset.domain in ("", "ai.onnx")]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    while scan := next((node for node in model.graph.node if node.op_type == "Scan"), None):
        _unroll(onnx.shape_inference.infer_shapes(model).graph, model.graph, scan)
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


def has_fixed_shapes(file: bytes) -> bool:
    """Whether every side of every input is a number, as a compiler of static shapes needs it."""
    inputs = onnx.load_from_string(file).graph.input
    return all(side.dim_value > 0 for i in inputs for side in i.type.tensor_type.shape.dim)


class _Plain:
    """Rewrites a graph, node by node. `names`: what values that fell away are called now."""

    def __init__(self, graph: Any, outside: _Plain | None = None) -> None:
        self._graph = graph
        self._names: dict[str, str] = {} if outside is None else dict(outside._names)
        self._outside = outside
        self._nodes: list[Any] = []
        self._given = {c.name: c for c in graph.initializer}
        self._made: dict[str, Array] = {}

    def rewrite(self) -> None:
        """Change the graph in place."""
        levels = [o for o in self._graph.output if o.type.tensor_type.elem_type == TensorProto.UINT8]
        for node in self._graph.node:
            self._take(node)
        for output in levels:
            self._leave_as_levels(output.name)
        del self._graph.node[:], self._graph.initializer[:]
        self._graph.node.extend(self._nodes)
        for name, given in self._given.items():
            if given.data_type in LEVELS:
                self._made[name] = numpy_helper.to_array(given).astype(np.float32)
        used = {name for node in self._nodes for name in _reads(node)}
        for name in [*self._given, *(made for made in self._made if made not in self._given)]:
            if name in used:
                made = self._made.get(name)
                kept = self._given[name] if made is None else numpy_helper.from_array(made, name)
                self._graph.initializer.append(kept)

    def value(self, name: str) -> Array | None:
        """The array that a constant holds, here or outside; None if it is no constant."""
        if name in self._made:
            return self._made[name]
        if name in self._given:
            return numpy_helper.to_array(self._given[name])
        return self._outside.value(name) if self._outside is not None else None

    def _take(self, node: Any) -> None:
        for place, name in enumerate(node.input):
            node.input[place] = self._names.get(name, name)
        rule = _RULES.get(node.op_type)
        if rule is None or not rule(self, node):
            self._nodes.append(node)

    def add(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> bool:
        """A node; True, as the rules say that they have dealt with theirs."""
        self._nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return True

    def constant(self, name: str, array: Array) -> str:
        """A constant called `name`."""
        self._made[name] = np.ascontiguousarray(array)
        return name

    def known(self, name: str) -> Array:
        """The array of a constant that has to be one."""
        array = self.value(name)
        assert array is not None, f"{name} is no constant"
        return array

    def rename(self, old: str, new: str) -> bool:
        """`old` falls away: whoever reads it reads `new`."""
        self._names[old] = new
        return True

    def product(self, node: Any, weight: Array, bias: str) -> bool:
        """The node's first input times `weight` (I, O), plus a bias if there is one."""
        out = node.output[0]
        kept = self.constant(f"{out}_weight", weight.astype(np.float32))
        if not bias:
            return self.add("MatMul", [node.input[0], kept], [out])
        self.add("MatMul", [node.input[0], kept], [f"{out}_product"])
        return self.add("Add", [f"{out}_product", bias], [out])

    def inner(self, graph: Any) -> None:
        """Rewrite the body of a node."""
        _Plain(graph, self).rewrite()

    def _leave_as_levels(self, name: str) -> None:
        for node in self._nodes:
            for place, made in enumerate(node.output):
                if made == name:
                    node.output[place] = f"{name}_in_floats"
        self.add("Cast", [f"{name}_in_floats"], [name], to=TensorProto.UINT8)


def _cast(plain: _Plain, node: Any) -> bool:
    kind, given = helper.get_node_attr_value(node, "to"), plain.value(node.input[0])
    if given is not None:
        plain.constant(node.output[0], given.astype(helper.tensor_dtype_to_np_dtype(kind)))
        return True
    if kind == TensorProto.UINT8:
        return plain.add("Floor", [node.input[0]], [node.output[0]])
    return False


def _quantise(plain: _Plain, node: Any) -> bool:
    return plain.rename(node.output[0], node.input[0])


def _dequantise(plain: _Plain, node: Any) -> bool:
    levels = plain.value(node.input[0])
    if levels is None:
        return plain.rename(node.output[0], node.input[0])
    scale = plain.known(node.input[1]).astype(np.float32)
    zero = plain.known(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros_like(scale)
    axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
    shape = [1] * levels.ndim
    if scale.size > 1:
        shape[axis] = scale.size
    whole = levels.astype(np.float32) - zero.astype(np.float32).reshape(shape)
    plain.constant(node.output[0], (whole * scale.reshape(shape)).astype(np.float32))
    return True


def _matmul_nbits(plain: _Plain, node: Any) -> bool:
    attributes = {a.name: a.i for a in node.attribute}
    assert attributes["bits"] == 8, "our exporters write eight bits"
    levels, scales = plain.known(node.input[1]), plain.known(node.input[2])
    cut = (levels.astype(np.float32) - ZERO_OF_EIGHT_BITS) * scales.reshape(*levels.shape[:2], 1)
    weight = cut.reshape(len(levels), -1)[:, : attributes["K"]]
    return plain.product(node, weight.T, node.input[5] if len(node.input) > 5 else "")


def _matmul_dynamic(plain: _Plain, node: Any) -> bool:
    weight = plain.known(node.input[1]).astype(np.float32) * plain.known(node.input[2])
    return plain.product(node, weight, node.input[4] if len(node.input) > 4 else "")


def _lstm_dynamic(plain: _Plain, node: Any) -> bool:
    out = next(name for name in node.output if name)
    kept = []
    for place, scale, part in ((1, 8, "w"), (2, 10, "r")):
        levels, scales = plain.known(node.input[place]), plain.known(node.input[scale])
        weight = (levels.astype(np.float32) * scales[:, None]).transpose(0, 2, 1)
        kept.append(plain.constant(f"{out}_{part}", weight))
    inputs = [node.input[0], *kept, *node.input[3:7]]
    hidden = helper.get_node_attr_value(node, "hidden_size")
    return plain.add("LSTM", inputs, list(node.output), hidden_size=hidden)


def _scan(plain: _Plain, node: Any) -> bool:
    plain.inner(helper.get_node_attr_value(node, "body"))
    return False


_RULES: dict[str, Callable[[_Plain, Any], bool]] = {
    "Cast": _cast,
    "QuantizeLinear": _quantise,
    "DequantizeLinear": _dequantise,
    "MatMulNBits": _matmul_nbits,
    "DynamicQuantizeMatMul": _matmul_dynamic,
    "DynamicQuantizeLSTM": _lstm_dynamic,
    "Scan": _scan,
}


def _reads(node: Any) -> set[str]:
    """All values that a node and its body read."""
    names = set(node.input)
    for attribute in node.attribute:
        for inside in attribute.g.node if attribute.HasField("g") else ():
            names |= _reads(inside)
    return names


def _unroll(inferred: Any, graph: Any, scan: Any) -> None:
    """Write the Scan's body (over first axes, forward) as often as it has rows; `inferred` knows the shapes."""
    rows = scan.input[len(scan.input) - helper.get_node_attr_value(scan, "num_scan_inputs")]
    values = (*inferred.value_info, *inferred.input)
    count = next(v for v in values if v.name == rows).type.tensor_type.shape.dim[0].dim_value
    nodes: list[Any] = []
    for node in graph.node:
        nodes += _turns(graph, node, count) if node.output[0] == scan.output[0] else [node]
    del graph.node[:]
    graph.node.extend(nodes)


def _turns(graph: Any, scan: Any, count: int) -> list[Any]:
    body, rows = (helper.get_node_attr_value(scan, name) for name in ("body", "num_scan_inputs"))
    states, tag = len(scan.input) - rows, scan.output[0]
    graph.initializer.extend(body.initializer)
    first = numpy_helper.from_array(np.zeros(1, np.int64), f"{tag}_first")
    sizes = numpy_helper.from_array(np.ones(count, np.int64), f"{tag}_sizes")
    graph.initializer.extend([first, sizes])
    nodes = []
    for name in scan.input[states:]:
        pieces = [f"{tag}_{name}_{turn}" for turn in range(count)]
        nodes.append(helper.make_node("Split", [name, sizes.name], pieces, axis=0))
    carried = list(scan.input[:states])
    every: list[list[str]] = [[] for _ in body.output[states:]]
    for turn in range(count):
        names = dict(zip((i.name for i in body.input), carried, strict=False))
        for place, name in zip(body.input[states:], scan.input[states:], strict=True):
            names[place.name] = f"{tag}_{place.name}_{turn}"
            nodes.append(helper.make_node("Squeeze", [f"{tag}_{name}_{turn}", first.name], [names[place.name]]))
        nodes += _copied(body, names, f"{tag}_{turn}_")
        carried = [names[o.name] for o in body.output[:states]]
        for collected, o in zip(every, body.output[states:], strict=True):
            collected.append(f"{names[o.name]}_row")
            nodes.append(helper.make_node("Unsqueeze", [names[o.name], first.name], [collected[-1]]))
    for name, last in zip(scan.output[:states], carried, strict=True):
        nodes.append(helper.make_node("Identity", [last], [name]))
    for name, collected in zip(scan.output[states:], every, strict=True):
        nodes.append(helper.make_node("Concat", collected, [name], axis=0))
    return nodes


def _copied(body: Any, names: dict[str, str], prefix: str) -> list[Any]:
    """The body's nodes for one turn; `names` learns what their values are called in it."""
    nodes = []
    for node in body.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        del copy.input[:], copy.output[:]
        copy.input.extend(names.get(name, name) for name in node.input)
        for name in node.output:
            names[name] = f"{prefix}{name}"
        copy.output.extend(names[name] for name in node.output)
        copy.name = f"{prefix}{node.name}" if node.name else ""
        nodes.append(copy)
    return nodes

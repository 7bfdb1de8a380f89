"""The costly part of a network in half precision: convolutions, and what only hands on what they give.

The rest stays as it is: places in a texture pass what half precision can count, and recurrent networks hear their own
rounding again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BEGIN = frozenset({"Conv", "ConvTranspose"})
HAND_ON = frozenset({"Add", "Concat", "Identity", "LeakyRelu", "Relu", "Resize", "Slice", "Tanh"})
INDEXED = {"Resize": 1, "Slice": 1}  # of these only so many inputs are values; the others say how
SUFFIX = "_as_half"


def halved_arithmetic(file: bytes) -> bytes:
    """The network (plain operators, floats) with its convolutions in float16; inputs and outputs stay float32."""
    model = onnx.load_from_string(file)
    _Halving(model.graph).run()
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


class _Halving:
    """Walks a graph; `_half` are the values in half precision, by the name that they had."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._constants = {c.name: c for c in graph.initializer}
        self._half: set[str] = set()
        self._float: set[str] = set()
        self._made: set[str] = set()
        self._nodes: list[Any] = []

    def run(self) -> None:
        outputs = {o.name for o in self._graph.output}
        for node in self._graph.node:
            values = [name for name in list(node.input)[: INDEXED.get(node.op_type)] if name]
            fluent = [name for name in values if name not in self._constants]
            meant = node.op_type in BEGIN or (node.op_type in HAND_ON and fluent and self._half.issuperset(fluent))
            if meant:
                self._rewire(node, {name: self._as_half(name) for name in values})
                for name in node.output:
                    self._half.add(name)
                self._rename_outputs(node)
            else:
                self._rewire(node, {name: self._as_float(name) for name in node.input if name in self._half})
            self._nodes.append(node)
        for name in outputs & self._half:
            self._as_float(name)
        used = {name for node in self._nodes for name in node.input}
        kept = [c for c in self._graph.initializer if c.name in used]
        del self._graph.node[:], self._graph.initializer[:]
        self._graph.node.extend(self._nodes)
        self._graph.initializer.extend(kept)

    def _as_half(self, name: str) -> str:
        """What `name` is called in half precision."""
        half = f"{name}{SUFFIX}"
        if name in self._half or half in self._made:
            return half
        self._made.add(half)
        if name in self._constants:
            array = numpy_helper.to_array(self._constants[name])
            self._graph.initializer.append(numpy_helper.from_array(array.astype(np.float16), half))
        else:
            self._nodes.append(helper.make_node("Cast", [name], [half], to=TensorProto.FLOAT16))
        return half

    def _as_float(self, name: str) -> str:
        """A value in half precision as floats, under the name that it had."""
        if name not in self._float:
            self._float.add(name)
            self._nodes.append(helper.make_node("Cast", [f"{name}{SUFFIX}"], [name], to=TensorProto.FLOAT))
        return name

    @staticmethod
    def _rewire(node: Any, names: dict[str, str]) -> None:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)

    @staticmethod
    def _rename_outputs(node: Any) -> None:
        for place, name in enumerate(node.output):
            node.output[place] = f"{name}{SUFFIX}"

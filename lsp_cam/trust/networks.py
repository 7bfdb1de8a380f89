"""Networks of strangers: an ONNX file is looked through before an engine gets it.

An engine is a large program in C++ that trusts its input. So only what our exporters write gets through: the
operators below, constants that lie in the file and are as large as they claim, shapes that are fixed and bearable.
No functions, no training graphs, no files outside, and branches only as the body of a Scan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..errors import BundleError
from .protobuf import MalformedError, fields, message, numbers, text

CONTRIB = "com.microsoft"  # operators of ONNX Runtime's own
# The one list: an exporter that needs another operator adds it here.
OPERATORS: dict[str, frozenset[str]] = {
    "": frozenset({
        "Add", "Cast", "Clip", "Concat", "Conv", "ConvInteger", "ConvTranspose", "DepthToSpace", "DequantizeLinear",
        "DynamicQuantizeLinear", "Gather", "Gemm", "GRU", "Identity", "LeakyRelu", "LSTM", "MatMul", "MatMulInteger",
        "Max", "Min", "Mul", "QLinearConv", "QuantizeLinear", "Relu", "Reshape", "Resize", "Round", "Scan",
        "ScatterND", "Sigmoid", "Slice", "Split", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze",
    }),
    CONTRIB: frozenset({"DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "MatMulNBits"}),
}  # fmt: skip
WITH_BODY = frozenset({"Scan"})
MAX_NODES = 5_000
MAX_RANK = 6
MAX_CONSTANT = 1 << 28  # numbers in a constant
MAX_TENSOR = 1 << 26  # numbers in an input or output
MAX_TYPED = 4096  # numbers in a constant that is not kept as raw bytes
MAX_ATTRIBUTE = 1 << 16  # bytes of an attribute that is no constant

# TensorProto.DataType: bytes of a number.
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
# Fields of onnx.proto3 that may be there, by message.
_MODEL, _OPSET, _GRAPH = {1, 2, 3, 4, 5, 6, 7, 8, 14}, {1, 2}, {1, 2, 5, 10, 11, 12, 13}
_NODE, _ATTRIBUTE, _TENSOR = {1, 2, 3, 4, 5, 6, 7}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 20}, {1, 2, 4, 5, 7, 8, 9, 12, 14}
_TYPED = {4, 5, 7}
_RAW, _EXTERNAL, _LOCATION = 9, 13, 14

Value = int | memoryview


class RefusedNetworkError(ValueError):
    """What is wrong with a network."""


@dataclass
class _Look:
    """How much of a file was seen."""

    nodes: int = 0
    domains: set[str] = field(default_factory=set)


def check_network(onnx: bytes, where: str) -> None:
    """BundleError, which begins with `where`, unless this ONNX file may reach an engine."""
    try:
        _model(memoryview(onnx))
    except RefusedNetworkError as error:
        raise BundleError(f"{where} is not accepted: {error}. Do not use this bundle.") from None
    except ValueError as error:
        raise BundleError(f"{where} is no ONNX file ({error}). Get the bundle again.") from None


def _known(data: memoryview, allowed: set[int], what: str) -> list[tuple[int, Value]]:
    found = list(fields(data))
    for number, _ in found:
        if number not in allowed:
            raise RefusedNetworkError(f"its {what} holds what no network of ours needs (field {number})")
    return found


def _model(data: memoryview) -> None:
    look, graphs = _Look(), []
    for number, value in _known(data, _MODEL, "file"):
        if number == 7:
            graphs.append(message(value))
        elif number == 8:
            look.domains.add(_opset(message(value)))
    if len(graphs) != 1:
        raise MalformedError("it has no graph")
    _graph(graphs[0], look, depth=0)


def _opset(data: memoryview) -> str:
    domain = next((text(value) for number, value in _known(data, _OPSET, "list of operators") if number == 1), "")
    if domain not in (*OPERATORS, "ai.onnx"):
        raise RefusedNetworkError(f"it wants operators of '{domain}'")
    return domain


def _graph(data: memoryview, look: _Look, depth: int) -> None:
    for number, value in _known(data, _GRAPH, "graph"):
        if number == 1:
            _node(message(value), look, depth)
        elif number == 5:
            _tensor(message(value))
        elif number in (11, 12) and depth == 0:
            _value_info(message(value))


def _node(data: memoryview, look: _Look, depth: int) -> None:
    look.nodes += 1
    if look.nodes > MAX_NODES:
        raise RefusedNetworkError(f"it has more than {MAX_NODES} operations")
    operator = domain = ""
    attributes = []
    for number, value in _known(data, _NODE, "operation"):
        if number == 4:
            operator = text(value)
        elif number == 7:
            domain = text(value)
        elif number == 5:
            attributes.append(message(value))
        elif number in (1, 2, 3):
            text(value)
    if operator not in OPERATORS.get("" if domain == "ai.onnx" else domain, ()):
        raise RefusedNetworkError(f"it uses the operator '{f'{domain}.' if domain else ''}{operator}'")
    for attribute in attributes:
        _attribute(attribute, look, depth, may_have_body=operator in WITH_BODY and depth == 0)


def _attribute(data: memoryview, look: _Look, depth: int, *, may_have_body: bool) -> None:
    for number, value in _known(data, _ATTRIBUTE, "attribute"):
        if number == 5:
            _tensor(message(value))
        elif number == 6:
            if not may_have_body:
                raise RefusedNetworkError("it has a branch")
            _graph(message(value), look, depth + 1)
        elif not isinstance(value, int) and len(value) > MAX_ATTRIBUTE:
            raise RefusedNetworkError("it has an attribute of an absurd size")


def _tensor(data: memoryview) -> None:
    """A constant must hold exactly as many numbers as its shape says, in the file itself."""
    found = list(fields(data))
    if any(n == _EXTERNAL or (n == _LOCATION and value) for n, value in found):
        raise RefusedNetworkError("it keeps weights outside the file")
    _known(data, _TENSOR, "constant")
    dims = [dim for n, value in found if n == 1 for dim in numbers(value)]
    kind = next((value for n, value in found if n == 2), 0)
    if not isinstance(kind, int) or kind not in _BYTES:
        raise RefusedNetworkError("it has a constant that is no array of numbers")
    count = _count(dims, MAX_CONSTANT, "a constant")
    raw = [message(value) for n, value in found if n == _RAW]
    typed = any(n in _TYPED for n, _ in found)
    if raw and (typed or len(raw) > 1 or len(raw[0]) != count * _BYTES[kind]):
        raise RefusedNetworkError("it has a constant of another size than it says")
    if not raw and count > MAX_TYPED:
        raise RefusedNetworkError("it has a constant of another size than it says")


def _value_info(data: memoryview) -> None:
    """An input or output: a tensor whose every side is fixed."""
    kinds = [message(value) for number, value in fields(data) if number == 2]
    tensors = [message(value) for kind in kinds for number, value in fields(kind) if number == 1]
    shapes = [message(value) for tensor in tensors for number, value in fields(tensor) if number == 2]
    if len(kinds) != 1 or len(tensors) != 1 or len(shapes) != 1:
        raise RefusedNetworkError("it takes or gives what is no array of a fixed shape")
    dims = []
    for number, dim in fields(shapes[0]):
        sides = [value for place, value in fields(message(dim)) if place == 1 and isinstance(value, int)]
        if number != 1 or len(sides) != 1:
            raise RefusedNetworkError("it takes or gives an array whose shape is not fixed")
        dims.append(sides[0])
    _count(dims, MAX_TENSOR, "an input or output")


def _count(dims: list[int], most: int, what: str) -> int:
    if len(dims) > MAX_RANK or any(dim > most for dim in dims) or math.prod(dims) > most:
        raise RefusedNetworkError(f"it has {what} of an absurd size")
    return math.prod(dims)

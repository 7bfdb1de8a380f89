"""ONNX files of the networks that carry state, in the form that docs/architecture.md fixes.

Written node by node from the weights: a step of a stream is a row of matrix-vector products whose cost is the
bytes of the weights, so whatever can be multiplied out beforehand is (batch norms; linear layers that follow one
another with nothing between).
"""

from __future__ import annotations

import numpy as np

from lsp_cam.train.export_pose import pose_onnx
from lsp_cam.train.graph import Graph, State, Weights
from lsp_cam.train.models import mouth, speech

__all__ = ["mouth_onnx", "pose_onnx", "speech_onnx"]

ROWS = 2


def speech_onnx(state: State, residual: bool = False) -> bytes:
    """The speech encoder: `mel` (2, 80), `h_in` (3, 1, 512) -> `features` (2, 512), `h_out` (section 3.1).

    state: keys `rnns.0.weight_ih_l0` ..., as published; others beside them are left alone. residual: the input of
    each layer is added to its output where both are equally wide. Raises ModelError if a weight is missing or
    misshapen.
    """
    weights, graph = Weights(state, "speech"), Graph()
    before, after = graph.rows("h_in", speech.LAYERS), []
    x = "mel"
    for layer, hidden in enumerate(before):
        width = speech.MEL_BANDS if layer == 0 else speech.HIDDEN
        outputs = _gru(graph, weights, f"rnns.{layer}", width, x, hidden)
        after.append(outputs[-1])
        y = graph.node("Concat", *outputs, axis=0)
        x = graph.node("Add", y, x) if residual and width == speech.HIDDEN else y
    graph.node("Identity", x, to="features")
    graph.join_rows(after, to="h_out")
    carried = (speech.LAYERS, 1, speech.HIDDEN)
    return graph.finish(
        "speech",
        {"mel": (ROWS, speech.MEL_BANDS), "h_in": carried},
        {"features": (ROWS, speech.HIDDEN), "h_out": carried},
    )


def _gru(graph: Graph, weights: Weights, key: str, width: int, x: str, hidden: str) -> list[str]:
    """One GRU layer over x (2, width) from hidden (1, H); gives the output (1, H) of each row."""
    size = speech.HIDDEN
    w, w_bias = weights.take(f"{key}.weight_ih_l0", 3 * size, width), weights.take(f"{key}.bias_ih_l0", 3 * size)
    r, r_bias = weights.take(f"{key}.weight_hh_l0", 3 * size, size), weights.take(f"{key}.bias_hh_l0", 3 * size)
    outputs = []
    for row in graph.split(graph.linear(x, w, w_bias), [1] * ROWS, axis=0):
        gates_in, new_in = graph.split(row, [2 * size, size])
        gates_back, new_back = graph.split(graph.linear(hidden, r, r_bias), [2 * size, size])
        reset, update = graph.split(graph.node("Sigmoid", graph.node("Add", gates_in, gates_back)), [size, size])
        new = graph.node("Tanh", graph.node("Add", new_in, graph.node("Mul", reset, new_back)))
        hidden = graph.node("Add", new, graph.node("Mul", update, graph.node("Sub", hidden, new)))
        outputs.append(hidden)
    return outputs


def mouth_onnx(state: State) -> bytes:
    """The mouth network: `features` (1, 1024), `h_in`, `c_in` (3, 1, 256) -> `delta` (1, 75), `h_out`, `c_out`.

    state: keys `downsample.0.weight` ..., as published (section 3.2). Raises ModelError as above.
    """
    weights, graph = Weights(state, "mouth"), Graph()
    x = graph.leaky(
        graph.linear("features", *weights.normed("downsample.0", "downsample.1", mouth.FEATURES, mouth.DOWNSAMPLED))
    )
    before = zip(graph.rows("h_in", mouth.LAYERS), graph.rows("c_in", mouth.LAYERS), strict=True)
    hiddens, cells = [], []
    for layer, (hidden, cell) in enumerate(before):
        x, cell = _lstm(graph, weights, layer, x, hidden, cell)
        hiddens.append(x)
        cells.append(cell)
    graph.join_rows(hiddens, to="h_out")
    graph.join_rows(cells, to="c_out")
    x = graph.leaky(graph.linear(x, *weights.normed("fc.0", "fc.1", mouth.HIDDEN, 512)))
    x = graph.leaky(graph.linear(x, *weights.normed("fc.3", "fc.4", 512, 512)))
    graph.linear(x, *weights.linear("fc.6", 512, mouth.DELTAS), to="delta")
    carried = (mouth.LAYERS, 1, mouth.HIDDEN)
    return graph.finish(
        "mouth",
        {"features": (1, mouth.FEATURES), "h_in": carried, "c_in": carried},
        {"delta": (1, mouth.DELTAS), "h_out": carried, "c_out": carried},
    )


def _lstm(graph: Graph, weights: Weights, layer: int, x: str, hidden: str, cell: str) -> tuple[str, str]:
    """One LSTM layer, one step: the next hidden and cell state (1, H)."""
    size = mouth.HIDDEN
    width = mouth.DOWNSAMPLED if layer == 0 else size
    w = weights.take(f"LSTM.weight_ih_l{layer}", 4 * size, width)
    r = weights.take(f"LSTM.weight_hh_l{layer}", 4 * size, size)
    bias = weights.take(f"LSTM.bias_ih_l{layer}", 4 * size) + weights.take(f"LSTM.bias_hh_l{layer}", 4 * size)
    if layer == 0:  # the second linear layer of the down-sampling, multiplied into the gates (in double precision)
        second, second_bias = weights.linear("downsample.3", width, width)
        bias = bias + w.astype(np.float64) @ second_bias
        w = w.astype(np.float64) @ second
    gates = graph.linear(x, w, graph.linear(hidden, r, bias))
    enter, forget, candidate, leave = graph.split(gates, [size] * 4)
    kept = graph.node("Mul", graph.node("Sigmoid", forget), cell)
    added = graph.node("Mul", graph.node("Sigmoid", enter), graph.node("Tanh", candidate))
    following = graph.node("Add", kept, added)
    return graph.node("Mul", graph.node("Sigmoid", leave), graph.node("Tanh", following)), following

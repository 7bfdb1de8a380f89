"""ONNX files of the networks that carry state, in the form that docs/architecture.md fixes.

Written node by node from the weights: a step of a stream is a row of matrix-vector products whose cost is the
bytes of the weights. So whatever can be multiplied out beforehand is (batch norms; linear layers that follow one
another with nothing between), and a call hears two frames: what carries no state is read once for both.
"""

from __future__ import annotations

import numpy as np

from lsp_cam.packets import BLOCK_FRAMES, ROWS_PER_FRAME
from lsp_cam.train.export_pose import pose_onnx, pose_speech_onnx
from lsp_cam.train.graph import Array, Graph, State, Weights
from lsp_cam.train.models import mouth, speech

__all__ = ["mouth_onnx", "pose_onnx", "pose_speech_onnx", "speech_onnx"]

ROWS = BLOCK_FRAMES * ROWS_PER_FRAME


def speech_onnx(state: State, residual: bool = False, eight_bit: bool = False) -> bytes:
    """The speech encoder: `mel` (4, 80), `h_in` (3, 1, 512) -> `features` (4, 512), `h_out` (section 3.1).

    state: keys `rnns.0.weight_ih_l0` ..., as published; others beside them are left alone. residual: the input of
    each layer is added to its output where both are equally wide. Raises ModelError if a weight is missing or
    misshapen.
    """
    weights, graph = Weights(state, "speech"), Graph(eight_bit)
    layer_of = _gru_in_eight_bits if eight_bit else _gru
    x, after = "mel", []
    for layer, hidden in enumerate(graph.split("h_in", [1] * speech.LAYERS, axis=0)):
        width = speech.MEL_BANDS if layer == 0 else speech.HIDDEN
        y, last = layer_of(graph, weights, f"rnns.{layer}", width, x, hidden)
        after.append(last)
        x = graph.node("Add", y, x) if residual and width == speech.HIDDEN else y
    graph.node("Identity", x, to="features")
    graph.node("Concat", *after, to="h_out", axis=0)
    carried = (speech.LAYERS, 1, speech.HIDDEN)
    return graph.finish(
        "speech",
        {"mel": (ROWS, speech.MEL_BANDS), "h_in": carried},
        {"features": (ROWS, speech.HIDDEN), "h_out": carried},
    )


def _gru(graph: Graph, weights: Weights, key: str, width: int, x: str, hidden: str) -> tuple[str, str]:
    """One GRU layer over x (T, width) from hidden (1, 1, H): all outputs (T, H), and the last (1, 1, H)."""
    # The published order of the gates is reset, update, new; ONNX has update, reset, new.
    w, r, *bias = (_reordered(part, [1, 0, 2]) for part in _gru_weights(weights, key, width))
    fixed = [graph.constant(part[None]) for part in (w, r, np.concatenate(bias))]
    y, last = f"{key}_y", f"{key}_h"
    size = speech.HIDDEN
    graph.nodes("GRU", [graph.sequence(x), *fixed, "", hidden], [y, last], hidden_size=size, linear_before_reset=1)
    return graph.unsequence(graph.node("Squeeze", y, graph.constant(np.array([1])))), last


def _gru_in_eight_bits(graph: Graph, weights: Weights, key: str, width: int, x: str, hidden: str) -> tuple[str, str]:
    """The same; ONNX Runtime has no GRU of eight bits, so it is written out."""
    w, r, w_bias, r_bias = _gru_weights(weights, key, width)
    size = speech.HIDDEN

    def cell(before: str, row: str) -> str:
        given, new = graph.split(row, [2 * size, size])
        kept, fresh = graph.split(graph.linear(before, r, r_bias), [2 * size, size])
        reset, update = graph.split(graph.node("Sigmoid", graph.node("Add", given, kept)), [size, size])
        new = graph.node("Tanh", graph.node("Add", new, graph.node("Mul", reset, fresh)))
        return graph.node("Add", new, graph.node("Mul", update, graph.node("Sub", before, new)))

    axis = graph.constant(np.array([0]))
    first = graph.node("Squeeze", hidden, axis)
    y, last = graph.in_turn(first, graph.sequence(graph.linear_of_rows(x, w, w_bias)), cell, 3 * size)
    return graph.unsequence(y), graph.node("Unsqueeze", last, axis)


def _gru_weights(weights: Weights, key: str, width: int) -> tuple[Array, Array, Array, Array]:
    """Of input (3H, width) and of hidden state (3H, H), and both biases (3H,); gates reset, update, new."""
    rows = 3 * speech.HIDDEN
    w, r = weights.take(f"{key}.weight_ih_l0", rows, width), weights.take(f"{key}.weight_hh_l0", rows, speech.HIDDEN)
    return w, r, weights.take(f"{key}.bias_ih_l0", rows), weights.take(f"{key}.bias_hh_l0", rows)


def _reordered(stacked: Array, order: list[int]) -> Array:
    """Blocks of gates along the first axis, put into another order."""
    blocks = np.split(stacked, len(order))
    return np.concatenate([blocks[i] for i in order])


def mouth_onnx(state: State, eight_bit: bool = False) -> bytes:
    """The mouth network: `features` (2, 1024), `h_in`, `c_in` (3, 1, 256) -> `delta` (2, 75), `h_out`, `c_out`.

    state: keys `downsample.0.weight` ..., as published (section 3.2). Raises ModelError as above.
    """
    weights, graph = Weights(state, "mouth"), Graph(eight_bit)
    first = weights.normed("downsample.0", "downsample.1", mouth.FEATURES, mouth.DOWNSAMPLED)
    x = graph.sequence(graph.leaky(graph.linear_of_rows("features", *first)))
    before = (graph.split(name, [1] * mouth.LAYERS, axis=0) for name in ("h_in", "c_in"))
    hiddens, cells = [], []
    for layer, (hidden, cell) in enumerate(zip(*before, strict=True)):
        x, hidden, cell = _lstm(graph, weights, layer, x, hidden, cell)
        hiddens.append(hidden)
        cells.append(cell)
    graph.node("Concat", *hiddens, to="h_out", axis=0)
    graph.node("Concat", *cells, to="c_out", axis=0)
    x = graph.leaky(graph.linear_of_rows(graph.unsequence(x), *weights.normed("fc.0", "fc.1", mouth.HIDDEN, 512)))
    x = graph.leaky(graph.linear_of_rows(x, *weights.normed("fc.3", "fc.4", 512, 512)))
    graph.linear_of_rows(x, *weights.linear("fc.6", 512, mouth.DELTAS), to="delta")
    carried = (mouth.LAYERS, 1, mouth.HIDDEN)
    return graph.finish(
        "mouth",
        {"features": (BLOCK_FRAMES, mouth.FEATURES), "h_in": carried, "c_in": carried},
        {"delta": (BLOCK_FRAMES, mouth.DELTAS), "h_out": carried, "c_out": carried},
    )


def _lstm(graph: Graph, weights: Weights, layer: int, x: str, hidden: str, cell: str) -> tuple[str, str, str]:
    """One LSTM layer over x (T, 1, width): all outputs (T, 1, H), the last, and the last cell state (1, 1, H)."""
    size = mouth.HIDDEN
    width = mouth.DOWNSAMPLED if layer == 0 else size
    w = weights.take(f"LSTM.weight_ih_l{layer}", 4 * size, width)
    r = weights.take(f"LSTM.weight_hh_l{layer}", 4 * size, size)
    bias = weights.take(f"LSTM.bias_ih_l{layer}", 4 * size) + weights.take(f"LSTM.bias_hh_l{layer}", 4 * size)
    if layer == 0:  # the second linear layer of the down-sampling, multiplied into the gates (in double precision)
        second, second_bias = weights.linear("downsample.3", width, width)
        bias = bias + w.astype(np.float64) @ second_bias
        w = w.astype(np.float64) @ second
    # The published order of the gates is input, forget, cell, output; ONNX has input, output, forget, cell.
    w, r, bias = (_reordered(part, [0, 3, 1, 2]) for part in (w, r, bias))
    bias = np.concatenate([bias, np.zeros_like(bias)])
    y, h, c = (f"lstm{layer}_{name}" for name in ("y", "h", "c"))
    if graph.eight_bit:
        graph.lstm_in_eight_bits(x, w, r, bias, hidden, cell, [y, h, c])
    else:
        fixed = [graph.constant(part[None]) for part in (w, r, bias)]
        graph.nodes("LSTM", [x, *fixed, "", hidden, cell], [y, h, c], hidden_size=size)
    return graph.node("Squeeze", y, graph.constant(np.array([1]))), h, c

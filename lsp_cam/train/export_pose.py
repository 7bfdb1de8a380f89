"""The ONNX files of the head-pose network: one column of its dilated convolutions, the past in a cache (section 3.3).

Most of its weights see speech alone, so they are a file of their own, which hears two frames at once.

A step reads every weight once and does little else, so the graph is cut for few bytes and few nodes: the two taps
of filter and gate are stacked, the taps on the past of all layers are one batched product, the projections of the
speech are one product, and the skips of all layers are summed by one.
"""

from __future__ import annotations

import numpy as np

from lsp_cam.packets import BLOCK_FRAMES
from lsp_cam.train.graph import Array, Graph, State, Weights
from lsp_cam.train.models.mouth import DOWNSAMPLED, FEATURES
from lsp_cam.train.models.pose import CHANNELS, DILATIONS, POSE, RAW, SKIP

NAMES = ("filter", "gate")
GATES = 2 * CHANNELS
GATES_SHAPE = (len(DILATIONS), GATES)
CACHE_ROWS = sum(DILATIONS)


def pose_speech_onnx(state: State) -> bytes:
    """What speech adds inside the gates, which no pose changes: `features` (2, 1024) -> `gates` (2, 14, 256).

    state: as in `pose_onnx`. Biases of the gates are in it.
    """
    weights, graph = Weights(state, "head-pose"), Graph()
    _speech(graph, weights, [_Layer(weights, i) for i in range(len(DILATIONS))])
    return graph.finish("pose_speech", {"features": (BLOCK_FRAMES, FEATURES)}, {"gates": (BLOCK_FRAMES, *GATES_SHAPE)})


def pose_onnx(state: State) -> bytes:
    """`gates` (14, 256), `history` (1, 12), `cache_in` (254, 128) -> `raw` (1, 25), `cache_out`.

    state: keys `audio_downsample.0.weight`, `WaveNet.start_conv1.weight` ..., as published. The cache holds, layer
    after layer, the last `dilation` inputs of that layer, oldest first. Raises ModelError if a weight is missing or
    misshapen.
    """
    weights, graph = Weights(state, "head-pose"), Graph()
    layers = [_Layer(weights, i) for i in range(len(DILATIONS))]
    gates = graph.node("Add", "gates", _past(graph, layers))
    inputs, outputs = _layers(graph, weights, layers, graph.split(gates, [1] * len(layers), axis=0))
    skip, skip_bias = zip(*(layer.conv("skip_conv", CHANNELS, SKIP) for layer in layers), strict=True)
    end = graph.linear(graph.node("Concat", *outputs, axis=1), np.concatenate(skip, 1), np.sum(skip_bias, 0))
    end = graph.linear(graph.leaky(end), *_conv(weights, "WaveNet.end_conv_1", SKIP, RAW))
    graph.linear(graph.leaky(end), *_conv(weights, "WaveNet.end_conv_2", RAW, RAW), to="raw")
    _remember(graph, inputs)
    rows = (CACHE_ROWS, CHANNELS)
    return graph.finish(
        "pose",
        {"gates": GATES_SHAPE, "history": (1, POSE), "cache_in": rows},
        {"raw": (1, RAW), "cache_out": rows},
    )


def _conv(weights: Weights, key: str, inputs: int, outputs: int) -> tuple[Array, Array]:
    """Weight (outputs, inputs) and bias (outputs,) of a convolution with one tap."""
    return weights.take(f"{key}.weight", outputs, inputs, 1)[..., 0], weights.take(f"{key}.bias", outputs)


class _Layer:
    """The gated convolution of one layer, filter above gate: `past`, `now` (256, 128), `speech` (256, 512), `bias`."""

    def __init__(self, weights: Weights, index: int) -> None:
        self._weights = weights
        self._key = f"WaveNet.residual_blocks.{index}"
        pair = [f"{self._key}.{name}_conv" for name in NAMES]
        taps = np.concatenate([weights.take(f"{key}.weight", CHANNELS, CHANNELS, 2) for key in pair])
        self.past, self.now = taps[..., 0], taps[..., 1]
        speech, bias = zip(*(self.conv(f"cond_{n}_conv", DOWNSAMPLED, CHANNELS) for n in NAMES), strict=True)
        self.speech = np.concatenate(speech)
        self.bias = np.concatenate(bias) + np.concatenate([weights.take(f"{key}.bias", CHANNELS) for key in pair])

    def conv(self, name: str, inputs: int, outputs: int) -> tuple[Array, Array]:
        """One of the layer's convolutions with one tap."""
        return _conv(self._weights, f"{self._key}.{name}", inputs, outputs)


def _speech(graph: Graph, weights: Weights, layers: list[_Layer]) -> None:
    """What the speech (and every bias) adds inside the gates of all layers: `gates` (2, 14, 256)."""
    x = graph.leaky(
        graph.linear("features", *weights.normed("audio_downsample.0", "audio_downsample.1", FEATURES, DOWNSAMPLED))
    )
    # Nothing stands between the second linear layer and the projections, so they are one (in double precision).
    second, second_bias = (a.astype(np.float64) for a in weights.linear("audio_downsample.3", DOWNSAMPLED, DOWNSAMPLED))
    projections = np.concatenate([layer.speech for layer in layers]).astype(np.float64)
    bias = projections @ second_bias + np.concatenate([layer.bias for layer in layers])
    y = graph.linear(x, projections @ second, bias)
    graph.node("Reshape", y, graph.constant(np.array([BLOCK_FRAMES, *GATES_SHAPE])), to="gates")


def _past(graph: Graph, layers: list[_Layer]) -> str:
    """What the inputs of `dilation` frames ago add inside the gates of all layers: (14, 256)."""
    first = graph.constant(np.cumsum((0, *DILATIONS[:-1])))
    columns = graph.node("Unsqueeze", graph.node("Gather", "cache_in", first), graph.constant(np.array([1])))
    product = graph.node("MatMul", columns, graph.constant(np.stack([layer.past.T for layer in layers])))
    return graph.node("Squeeze", product, graph.constant(np.array([1])))


def _layers(graph: Graph, weights: Weights, layers: list[_Layer], gates: list[str]) -> tuple[list[str], list[str]]:
    """Run the layers; gives the input (1, 128) of each, and the gated output (1, 128) of each."""
    x = graph.leaky(graph.linear("history", *_conv(weights, "WaveNet.start_conv1", POSE, CHANNELS)))
    x = graph.leaky(graph.linear(x, *_conv(weights, "WaveNet.start_conv2", CHANNELS, CHANNELS)))
    inputs, outputs = [], []
    for layer, gate in zip(layers, gates, strict=True):
        value, opening = graph.split(graph.linear(x, layer.now, gate), [CHANNELS, CHANNELS])
        z = graph.node("Mul", graph.node("Tanh", value), graph.node("Sigmoid", opening))
        inputs.append(x)
        outputs.append(z)
        if layer is not layers[-1]:  # nobody sees what the last layer would hand on
            x = graph.node("Add", graph.linear(z, *layer.conv("residual_conv", CHANNELS, CHANNELS)), x)
    return inputs, outputs


def _remember(graph: Graph, inputs: list[str]) -> None:
    """`cache_out`: every row moved up by one, and in the last row of each layer the input that it saw now."""
    following = graph.constant(np.minimum(np.arange(CACHE_ROWS) + 1, CACHE_ROWS - 1))
    newest = graph.constant((np.cumsum(DILATIONS) - 1)[:, None])
    moved = graph.node("Gather", "cache_in", following)
    graph.node("ScatterND", moved, newest, graph.node("Concat", *inputs, axis=0), to="cache_out")

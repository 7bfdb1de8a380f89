"""The ONNX files of the head-pose network: one column of its dilated convolutions, the past handed in (section 3.3).

Most of its weights see speech alone, so they are a file of their own, which hears two frames at once.

A step reads every weight once and does little else, so the graph is cut for few bytes and few nodes: the two taps of
filter and gate are one product, the projections of the speech are one, the skips of all layers are summed by one, and
the biases of the residuals are added to those of the gates that they lead to.
"""

from __future__ import annotations

import numpy as np

from lsp_cam.packets import BLOCK_FRAMES
from lsp_cam.train.graph import Array, Graph, State, Weights
from lsp_cam.train.models.mouth import DOWNSAMPLED, FEATURES
from lsp_cam.train.models.pose import CHANNELS, DILATIONS, POSE, RAW, SKIP

NAMES = ("filter", "gate")
GATES = 2 * CHANNELS
LAYERS = len(DILATIONS)


def pose_speech_onnx(state: State, eight_bit: bool = False) -> bytes:
    """What speech adds inside the gates, which no pose changes: `features` (2, 1024) -> `gates` (2, 14, 256).

    state: as in `pose_onnx`. Biases of the gates are in it.
    """
    weights, graph = Weights(state, "head-pose"), Graph(eight_bit)
    _speech(graph, weights, [_Layer(weights, i) for i in range(LAYERS)])
    shapes = {"features": (BLOCK_FRAMES, FEATURES)}, {"gates": (BLOCK_FRAMES, LAYERS, GATES)}
    return graph.finish("pose_speech", *shapes)


def pose_onnx(state: State, eight_bit: bool = False) -> bytes:
    """`gates` (14, 256), `history` (1, 12), `past` (14, 128) -> `raw` (1, 25), `columns` (14, 128).

    state: keys `audio_downsample.0.weight`, `WaveNet.start_conv1.weight` ..., as published. `columns` holds the input
    of each layer, less a constant; `past` the same of `dilation` frames before. Raises ModelError if a weight is
    missing or misshapen.
    """
    weights, graph = Weights(state, "head-pose"), Graph(eight_bit)
    layers = [_Layer(weights, i) for i in range(LAYERS)]
    inputs, outputs = _layers(graph, weights, layers)
    skip, bias = zip(*(layer.conv("skip_conv", CHANNELS, SKIP) for layer in layers), strict=True)
    end = graph.linear(graph.node("Concat", *outputs, axis=-1), np.concatenate(skip, 1), np.sum(bias, 0))
    end = graph.node("Reshape", graph.leaky(end), graph.constant(np.array([1, SKIP])))
    end = graph.linear(end, *_conv(weights, "WaveNet.end_conv_1", SKIP, RAW))
    graph.linear(graph.leaky(end), *_conv(weights, "WaveNet.end_conv_2", RAW, RAW), to="raw")
    seen = graph.node("Concat", *inputs, axis=-1)
    graph.node("Reshape", seen, graph.constant(np.array([LAYERS, CHANNELS])), to="columns")
    columns = (LAYERS, CHANNELS)
    return graph.finish(
        "pose",
        {"gates": (LAYERS, GATES), "history": (1, POSE), "past": columns},
        {"raw": (1, RAW), "columns": columns},
    )


def _conv(weights: Weights, key: str, inputs: int, outputs: int) -> tuple[Array, Array]:
    """Weight (outputs, inputs) and bias (outputs,) of a convolution with one tap."""
    return weights.take(f"{key}.weight", outputs, inputs, 1)[..., 0], weights.take(f"{key}.bias", outputs)


class _Layer:
    """The gated convolution of one layer, filter above gate: `taps` (256, 256) on what it sees now and on what it saw
    `dilation` frames ago, `speech` (256, 512), `bias`."""

    def __init__(self, weights: Weights, index: int) -> None:
        self._weights = weights
        self._key = f"WaveNet.residual_blocks.{index}"
        pair = [f"{self._key}.{name}_conv" for name in NAMES]
        taps = np.concatenate([weights.take(f"{key}.weight", CHANNELS, CHANNELS, 2) for key in pair])
        self.taps = np.concatenate([taps[..., 1], taps[..., 0]], axis=1)
        speech, bias = zip(*(self.conv(f"cond_{n}_conv", DOWNSAMPLED, CHANNELS) for n in NAMES), strict=True)
        self.speech = np.concatenate(speech)
        self.bias = np.concatenate(bias) + np.concatenate([weights.take(f"{key}.bias", CHANNELS) for key in pair])

    def conv(self, name: str, inputs: int, outputs: int) -> tuple[Array, Array]:
        """One of the layer's convolutions with one tap."""
        return _conv(self._weights, f"{self._key}.{name}", inputs, outputs)


def _speech(graph: Graph, weights: Weights, layers: list[_Layer]) -> None:
    """What the speech (and every bias) adds inside the gates of all layers: `gates` (2, 14, 256)."""
    x = graph.leaky(
        graph.linear_of_rows(
            "features", *weights.normed("audio_downsample.0", "audio_downsample.1", FEATURES, DOWNSAMPLED)
        )
    )
    # Nothing stands between the second linear layer and the projections, so they are one (in double precision).
    second, second_bias = (a.astype(np.float64) for a in weights.linear("audio_downsample.3", DOWNSAMPLED, DOWNSAMPLED))
    projections = np.concatenate([layer.speech for layer in layers]).astype(np.float64)
    y = graph.linear_of_rows(x, projections @ second, projections @ second_bias + _biases(layers))
    graph.node("Reshape", y, graph.constant(np.array([BLOCK_FRAMES, LAYERS, GATES])), to="gates")


def _biases(layers: list[_Layer]) -> Array:
    """Biases (14 * 256,) inside the gates: a layer's own, and what the residuals' biases before it come to there."""
    before, biases = np.zeros(2 * CHANNELS), []
    for layer in layers:
        biases.append(layer.bias + layer.taps.astype(np.float64) @ before)
        before = before + np.tile(layer.conv("residual_conv", CHANNELS, CHANNELS)[1], 2)
    return np.concatenate(biases)


def _layers(graph: Graph, weights: Weights, layers: list[_Layer]) -> tuple[list[str], list[str]]:
    """Run the layers; gives the input (1, 128) of each, and the gated output (1, 128) of each."""
    gates, past = graph.rows_of("gates", LAYERS, GATES), graph.rows_of("past", LAYERS, CHANNELS)
    x = graph.leaky(graph.linear("history", *_conv(weights, "WaveNet.start_conv1", POSE, CHANNELS)))
    (x,) = graph.rows_of(x, 1, CHANNELS)
    x = graph.leaky(graph.linear(x, *_conv(weights, "WaveNet.start_conv2", CHANNELS, CHANNELS)))
    inputs, outputs = [], []
    for i, layer in enumerate(layers):
        inputs.append(x)
        seen = graph.node("Concat", x, past[i], axis=-1)
        value, opening = graph.split(graph.linear(seen, layer.taps, gates[i]), [CHANNELS, CHANNELS], axis=-1)
        outputs.append(graph.node("Mul", graph.node("Tanh", value), graph.node("Sigmoid", opening)))
        if layer is not layers[-1]:  # nobody sees what the last layer would hand on
            x = graph.linear(outputs[-1], layer.conv("residual_conv", CHANNELS, CHANNELS)[0], x)
    return inputs, outputs

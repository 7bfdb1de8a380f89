"""ONNX files of the published generators, in the form that docs/architecture.md fixes.

Batch norms are folded into the convolutions before them. The first convolution is linear, so what the candidate
images add to it is a network of its own, to be run once; the other takes the map alone each frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lsp_cam.errors import ModelError
from lsp_cam.train.graph import Array, Graph, State, Weights
from lsp_cam.train.models.render import (
    CANDIDATE_CHANNELS,
    MAP_CHANNELS,
    PICTURE_CHANNELS,
    RESIDUALS,
    WIDTHS,
    Kind,
)

CONSTANT = "candidate_features"
NORM_EPSILON = 1e-5
SMALLEST_SIZE = 1 << len(WIDTHS)
_TAPS_SUMMED = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float32)  # see _doubled_conv


def generator_kind(state: State) -> tuple[Kind, int]:
    """Kind and `ngf` of the generator whose weights these are; ModelError if it is none that is known."""
    first = state.get("model.model.0.weight")
    shape = () if first is None else tuple(first.shape)
    if len(shape) != 4 or shape[1:] != (MAP_CHANNELS + CANDIDATE_CHANNELS, 3, 3):
        raise ModelError("These are no weights of a generator that takes a map and four candidate images.")
    blocks = sum(f"model.model.{place}.block.0.weight" in state for place in (2, 3))
    return next(kind for kind, count in RESIDUALS.items() if count == blocks), int(shape[0])


def render_onnx(state: State, kind: Kind, ngf: int, size: int = 512) -> dict[str, bytes]:
    """`render.onnx` and `render_constants.onnx` by name, for square pictures of `size` pixels (a multiple of 256).

    state: keys `model.model.0.weight` ..., as published. Raises ModelError if a weight is missing or misshapen.
    """
    if size <= 0 or size % SMALLEST_SIZE:
        raise ModelError(f"The generator cannot make pictures of {size} pixels. Choose a multiple of {SMALLEST_SIZE}.")
    weights = Weights(state, "render")
    first = weights.take("model.model.0.weight", ngf, MAP_CHANNELS + CANDIDATE_CHANNELS, 3, 3)
    kept = (1, ngf, size // 2, size // 2)
    constants = Graph()
    _conv(constants, "candidates", first[:, MAP_CHANNELS:], stride=2, to=CONSTANT)
    graph = _Writer(weights, Graph(), kind, ngf)
    graph.picture(first[:, :MAP_CHANNELS])
    return {
        "render.onnx": graph.graph.finish(
            "render",
            {"map": (1, MAP_CHANNELS, size, size), CONSTANT: kept},
            {"frame": (1, PICTURE_CHANNELS, size, size)},
        ),
        "render_constants.onnx": constants.finish(
            "render_constants", {"candidates": (1, CANDIDATE_CHANNELS, size, size)}, {CONSTANT: kept}
        ),
    }


@dataclass(frozen=True)
class _Writer:
    """Writes the levels of one generator into a graph."""

    weights: Weights
    graph: Graph
    kind: Kind
    ngf: int

    def picture(self, first: Array) -> None:
        """The outermost level, from `map` and the constant to `frame`; `first` is the map's part of its convolution."""
        x = self.graph.node("Add", _conv(self.graph, "map", first, stride=2), CONSTANT)
        x = self._residuals(self.graph.node("Relu", x), "model.model", 2, self.ngf)
        below = 2 + RESIDUALS[self.kind]
        x = self._level(x, f"model.model.{below}", 1)
        last = self.weights.take(f"model.model.{below + 2}.weight", PICTURE_CHANNELS, 2 * self.ngf, 3, 3)
        self.graph.node("Tanh", _doubled_conv(self.graph, x, last), to="frame")

    def _level(self, x: str, place: str, depth: int) -> str:
        """The level at `depth`: x beside what the level makes of it."""
        outer, width = WIDTHS[depth - 1] * self.ngf, WIDTHS[depth] * self.ngf
        innermost = depth == len(WIDTHS) - 1
        place, blocks = f"{place}.model", RESIDUALS[self.kind]
        if innermost:
            y = _conv(self.graph, x, self.weights.take(f"{place}.0.weight", width, outer, 3, 3), stride=2)
            at = 2
        else:
            y, at = self._normed(x, f"{place}.0", f"{place}.1", (width, outer), stride=2), 3
        y = self._residuals(self.graph.node("Relu", y), place, at, width)
        at += blocks
        if not innermost:
            y = self._level(y, f"{place}.{at}", depth + 1)
            at += 1
        given = width if innermost else 2 * width
        folded = self._folded(f"{place}.{at + 1}", f"{place}.{at + 2}", (outer, given))
        y = _doubled_conv(self.graph, y, *folded)
        y = self._residuals(self.graph.node("Relu", y), place, at + 4, outer)
        return self.graph.node("Concat", x, y, axis=1)

    def _residuals(self, x: str, place: str, at: int, channels: int) -> str:
        for number in range(at, at + RESIDUALS[self.kind]):
            block = f"{place}.{number}.block"
            y = self.graph.node("Relu", self._normed(x, f"{block}.0", f"{block}.1", (channels, channels)))
            y = self._normed(y, f"{block}.3", f"{block}.4", (channels, channels))
            x = self.graph.node("Relu", self.graph.node("Add", x, y))
        return x

    def _normed(self, x: str, conv: str, norm: str, shape: tuple[int, int], stride: int = 1) -> str:
        """A convolution of weights `shape` (made, given) and its batch norm."""
        return _conv(self.graph, x, *self._folded(conv, norm, shape), stride)

    def _folded(self, conv: str, norm: str, shape: tuple[int, int]) -> tuple[Array, Array]:
        """Kernel and bias of a convolution with the batch norm after it folded in."""
        kernel = self.weights.take(f"{conv}.weight", *shape, 3, 3)
        mean, variance, gain, shift = (
            self.weights.take(f"{norm}.{name}", shape[0]) for name in ("running_mean", "running_var", "weight", "bias")
        )
        factor = gain / np.sqrt(variance.astype(np.float64) + NORM_EPSILON)
        return kernel * factor[:, None, None, None], shift - mean * factor


def _conv(graph: Graph, x: str, kernel: Array, bias: Array | None = None, stride: int = 1, to: str = "") -> str:
    inputs = [x, graph.constant(kernel)] + ([] if bias is None else [graph.constant(bias)])
    return graph.node("Conv", *inputs, to=to, kernel_shape=[3, 3], strides=[stride, stride], pads=[1, 1, 1, 1])


def _doubled_conv(graph: Graph, x: str, kernel: Array, bias: Array | None = None) -> str:
    """A convolution of x with every pixel doubled both ways, as one transposed convolution of x itself.

    Of the three taps two meet the same pixel of x, so four sums of taps per output pixel do the work of nine.
    """
    summed = np.einsum("ya,xb,oiab->ioyx", _TAPS_SUMMED, _TAPS_SUMMED, kernel, optimize=True)
    inputs = [x, graph.constant(summed)] + ([] if bias is None else [graph.constant(bias)])
    return graph.node("ConvTranspose", *inputs, kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1])

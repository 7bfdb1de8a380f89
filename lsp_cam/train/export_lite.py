"""The lite renderer's ONNX file: `map` (1, 1, S, S) in 0..1 -> `frame` (1, 3, S, S) RGB in -1..1.

Sampling the texture is a Gather of whole pixels from the texture enlarged four times (quarter-pixel steps): ONNX
Runtime's GridSample takes about ten times as long on a CPU. The file holds the texture in its own size; enlarging it
depends on constants alone, so ONNX Runtime does it once, when it loads the file.
"""

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from lsp_cam.train.graph import Graph
from lsp_cam.train.models.lite import CELL, LiteRenderer, Shape

FLOW_CELL = 16  # pixels
STEPS = 4  # texture positions per pixel
LEVELS = 126.0  # of an eight-bit texture, for values up to 1
HALF_LEVEL = 1 / 255  # pictures are cut off to whole levels at the end, so half a level is added here

Array = NDArray[np.float32]


def lite_onnx(model: LiteRenderer) -> bytes:
    """The file of a trained renderer."""
    shape, side = model.painter.shape, model.painter.shape.side
    graph = _Painting(model)
    flow, paint, cover = graph.paint("map")
    picture = _composed(graph, model, _moved(graph, model, flow))
    _repainted(graph, shape, picture, paint, cover)
    return graph.finish("render", {"map": (1, 1, side, side)}, {"frame": (1, 3, side, side)})


class _Painting(Graph):
    """The convolutions of `Painter`, node by node."""

    def __init__(self, model: LiteRenderer) -> None:
        super().__init__()
        self._state = {k: v.detach().numpy().astype(np.float32) for k, v in model.painter.state_dict().items()}
        self._shape = model.painter.shape

    def paint(self, feature_map: str) -> tuple[str, str, str]:
        """Flow in texture steps (1, 2, S/16, S/16), paint (1, 3, h, w) in -1..1 and its cover (1, 1, h, w)."""
        quarter = self.leaky(self._conv(feature_map, "stem", stride=4, pad=0))
        eighth = self.leaky(self._conv(quarter, "down1", stride=2))
        x2 = self.leaky(self._placed(self._conv(eighth, "down2", stride=2), "place2"))
        x3 = self.leaky(self._placed(self._conv(x2, "down3", stride=2), "place3"))
        x4 = self.leaky(self._placed(self._conv(x3, "down4", stride=2), "place4"))
        deep = self._conv(self.leaky(self._conv(x4, "deep1")), "deep2", gain=0.5)
        x4 = self.node("Add", x4, deep)
        x3 = self._up(x4, "up3", x3)
        x2 = self._up(x3, "up2", x2)
        flow = self._conv(x2, "flow", gain=10.0 * STEPS)
        x1 = self.leaky(self.node("Add", self._conv(self._window(self._twice(x2), 1), "up1"), self._window(eighth, 1)))
        x0 = self.leaky(self.node("Add", self._conv(self._twice(x1), "up0"), self._window(quarter, 2)))
        return flow, *self._colours(x0)

    def _colours(self, x0: str) -> tuple[str, str]:
        weight, bias = self._state["paint.weight"].copy(), self._state["paint.bias"].copy()
        colours = len(bias) * 3 // 4  # the last quarter of the channels is the cover
        weight[:colours] *= 2
        bias[:colours] = bias[:colours] * 2 - 1 + HALF_LEVEL
        spread = self.node("DepthToSpace", self._conv_of(x0, weight, bias, 1, 1), blocksize=4, mode="CRD")
        paint, cover = self.split(spread, [3, 1])
        return paint, self.node("Sigmoid", cover)

    def _conv(self, x: str, key: str, stride: int = 1, pad: int = 1, gain: float = 1.0) -> str:
        return self._conv_of(x, self._state[f"{key}.weight"] * gain, self._state[f"{key}.bias"] * gain, stride, pad)

    def _conv_of(self, x: str, weight: Array, bias: Array, stride: int, pad: int) -> str:
        constants = self.constant(weight), self.constant(bias)
        kernel = list(weight.shape[2:])
        return self.node("Conv", x, *constants, kernel_shape=kernel, strides=[stride] * 2, pads=[pad] * 4)

    def _placed(self, x: str, key: str) -> str:
        return self.node("Add", x, self.constant(self._state[key]))

    def _up(self, x: str, key: str, skip: str) -> str:
        return self.leaky(self.node("Add", self._conv(self._twice(x), key), skip))

    def _twice(self, x: str) -> str:
        scales = self.constant(np.array([1.0, 1.0, 2.0, 2.0]))
        how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", x, "", scales, mode="nearest", **how)

    def _window(self, x: str, cells: int) -> str:
        s = self._shape
        return self.cut(x, (s.top * cells, s.bottom * cells), (s.left * cells, s.right * cells))

    def cut(self, x: str, rows: tuple[int, int], columns: tuple[int, int]) -> str:
        """A part of a grid (1, C, H, W)."""
        starts, ends = (self.constant(np.array([rows[k], columns[k]])) for k in (0, 1))
        return self.node("Slice", x, starts, ends, self.constant(np.array([2, 3])))


def _texture(graph: Graph, model: LiteRenderer) -> tuple[str, int]:
    """Pixels (N * N, 4) int8 of the enlarged texture, and N: colours times opacity, and the background's share."""
    side = model.painter.shape.side
    texture = model.texture.detach().numpy()[0].astype(np.float32)
    opacity = texture[3:].clip(0, 1)
    colours = (texture[:3].clip(0, 1) * 2 - 1 + HALF_LEVEL) * opacity
    levels = np.round(np.concatenate([colours, 1 - opacity]) * LEVELS)[None]
    large = STEPS * (side - 1) + 1
    sizes = graph.constant(np.array([1, 4, large, large]))
    where = "align_corners"
    enlarged = graph.node(
        "Resize", graph.constant(levels), "", "", sizes, mode="linear", coordinate_transformation_mode=where
    )
    whole = _cast(graph, graph.node("Round", enlarged), TensorProto.INT8)
    turned = graph.node("Transpose", whole, perm=[0, 2, 3, 1])
    return graph.node("Reshape", turned, graph.constant(np.array([large * large, 4]))), large


def _cast(graph: Graph, x: str, kind: int) -> str:
    return graph.nodes("Cast", [x], [f"{x}_cast"], to=kind)[0]


def _moved(graph: Graph, model: LiteRenderer, flow: str) -> str:
    """The texture (1, 4, S, S), in -1..1, moved by the flow (1, 2, S/16, S/16) in steps."""
    side = model.painter.shape.side
    texture, large = _texture(graph, model)
    # As two products: a Resize here runs on sixteen channels, fourteen of them padding.
    spread = _spreading(side // FLOW_CELL, side)
    fine = graph.node("MatMul", graph.node("MatMul", graph.constant(spread), flow), graph.constant(spread.T))
    limits = graph.constant(np.float32(0)), graph.constant(np.float32(large - 1))
    own = np.arange(side, dtype=np.float32) * STEPS
    x, y = (
        graph.node("Round", graph.node("Clip", graph.node("Add", part, graph.constant(place)), *limits))
        for part, place in zip(graph.split(fine, [1, 1]), (own.reshape(1, 1, 1, -1), own.reshape(1, 1, -1, 1)))
    )
    index = graph.node("Add", graph.node("Mul", y, graph.constant(np.float32(large))), x)
    flat = graph.node("Reshape", _cast(graph, index, TensorProto.INT32), graph.constant(np.array([1, side, side])))
    pixels = graph.node("Transpose", graph.node("Gather", texture, flat, axis=0), perm=[0, 3, 1, 2])
    return graph.node("Mul", _cast(graph, pixels, TensorProto.FLOAT), graph.constant(np.float32(1 / LEVELS)))


def _spreading(cells: int, side: int) -> Array:
    """Weights (side, cells) that enlarge a row of cells linearly, pixels and cells meeting at their outer edges."""
    places = (np.arange(side) + 0.5) * cells / side - 0.5
    return np.stack([np.interp(places, np.arange(cells), one) for one in np.eye(cells)], axis=1).astype(np.float32)


def _composed(graph: Graph, model: LiteRenderer, moved: str) -> str:
    """The moved texture before the background (1, 3, S, S)."""
    background = model.background.detach().numpy().astype(np.float32).clip(0, 1) * 2 - 1 + HALF_LEVEL
    colours, through = graph.split(moved, [3, 1])
    return graph.node("Add", colours, graph.node("Mul", through, graph.constant(background)))


def _repainted(graph: _Painting, s: Shape, picture: str, paint: str, cover: str) -> None:
    """The frame: the picture with its window painted over; joined from strips, which is cheaper than padding."""
    top, bottom, left, right = (edge * CELL for edge in (s.top, s.bottom, s.left, s.right))
    under = graph.cut(picture, (top, bottom), (left, right))
    over = graph.node("Add", under, graph.node("Mul", graph.node("Sub", paint, under), cover))
    beside = [graph.cut(picture, (top, bottom), part) for part in ((0, left), (right, s.side))]
    band = graph.node("Concat", beside[0], over, beside[1], axis=3)
    strips = [graph.cut(picture, part, (0, s.side)) for part in ((0, top), (bottom, s.side))]
    graph.node("Concat", strips[0], band, strips[1], to="frame", axis=2)

"""The lite renderer's ONNX file: `map` (1, 1, S, S) in 0..1 -> `frame` (1, 3, S, S) RGB uint8.

Sampling the texture is a Gather of short rows of pixels from the texture enlarged four times (quarter-pixel steps; in
small pictures twice as fine): ONNX Runtime's GridSample takes about ten times as long on a CPU. The file holds the
texture in its own size; enlarging it depends on constants alone, so ONNX Runtime does it once, when it loads the file.
Most convolutions compute in 8 bits; the first ones, and those that say how far something moves or how far lids close,
do not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from lsp_cam.train.graph import Graph
from lsp_cam.train.models.lite import CELL, FLOW_CELL, FULL_SIDE, PULL, Box, LiteRenderer
from lsp_cam.train.quantise import MARK, OPERATORS, quantised

STEPS = 4  # texture positions per pixel
ROW = 4  # neighbouring pixels that are taken together, moved alike
HALF_LEVEL = 0.5  # of 255: pictures are cut off to whole levels at the end
OPAQUE_PX = 2  # around what of the texture is not transparent

Array = NDArray[np.float32]


def lite_onnx(model: LiteRenderer, maps: Sequence[Array] = ()) -> bytes:
    """The file of a trained renderer; in 8 bits where `maps` (1, 1, S, S) tell the ranges, in floats where not."""
    side = model.painter.shape.side
    graph = _Painting(model)
    painted = graph.paint("map")
    picture = _composed(graph, model, painted.flow)
    _repainted(graph, model, picture, painted)
    file = graph.finish("render", {"map": (1, 1, side, side)}, {"frame": (1, 3, side, side)})
    return quantised(file, maps) if maps else file


class _Painted(NamedTuple):
    """Names of flow in texture steps (1, 2, S/16, S/16); paint (1, 3, h, w) in 0..255 and its cover; lids' cover."""

    flow: str
    paint: str
    cover: str
    lids: str


class _Painting(Graph):
    """The convolutions of `Painter`, node by node."""

    def __init__(self, model: LiteRenderer) -> None:
        super().__init__(output_kind=TensorProto.UINT8)
        self._state = {k: v.detach().numpy().astype(np.float32) for k, v in model.painter.state_dict().items()}
        self._shape = model.painter.shape
        fine = self._shape.side < FULL_SIDE  # a pixel of a smaller picture shows more, and there are fewer
        self.steps, self.row = (2 * STEPS, 1) if fine else (STEPS, ROW)
        self._marking = False

    def nodes(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """As in `Graph`; marked for 8 bits while `_marking`."""
        if self._marking and op in OPERATORS:
            attributes["name"] = f"{MARK}{outputs[0]}"
        return super().nodes(op, inputs, outputs, **attributes)

    def paint(self, feature_map: str) -> _Painted:
        """Everything that the network says about a map."""
        window = self._shape.window
        # The window's part once more: cheaper than bringing the large one into the order in which it can be cut.
        quarter, quarter_window = self._stem(feature_map), self._stem(self.cut(feature_map, window, CELL))
        self._marking = True
        eighth = self.leaky(self._conv(quarter, "down1", stride=2))
        x2 = self.leaky(self._placed(self._conv(eighth, "down2", stride=2), "place2"))
        x3 = self.leaky(self._placed(self._conv(x2, "down3", stride=2), "place3"))
        x4 = self.leaky(self._placed(self._conv(x3, "down4", stride=2), "place4"))
        deep = self._conv(self.leaky(self._conv(x4, "deep1")), "deep2", gain=0.5)
        x4 = self.node("Add", x4, deep)
        x3 = self._up(x4, "up3", x3)
        x2 = self._up(x3, "up2", x2)
        x1 = self._up(self.cut(x2, window.in_groups(FLOW_CELL // CELL), 1), "up1", self.cut(eighth, window, 1))
        x0 = self._up(x1, "up0", quarter_window)
        self._marking = False
        flow = self.node("Add", self._conv(x2, "flow", gain=PULL * self.steps), self._whole(x4))
        lids = self._conv(self.cut(feature_map, self._shape.eyes, CELL), "lid.0", stride=4, pad=0)
        for layer in ("lid.2", "lid.4", "lid.6"):
            lids = self._conv(self.leaky(lids), layer)
        return _Painted(flow, *self._colours(x0), self.node("Sigmoid", self._spread(lids)))

    def _whole(self, x4: str) -> str:
        """What follows from the pose of the flow."""
        rows = self.node("Reshape", x4, self.constant(np.array([1, -1])))
        modes = self.linear(rows, self._state["pose.weight"], self._state["pose.bias"])
        moved = self.node("MatMul", modes, self.constant(self._state["sway"] * (PULL * self.steps)))
        cells = self._shape.side // FLOW_CELL
        return self.node("Reshape", moved, self.constant(np.array([1, 2, cells, cells])))

    def _stem(self, x: str) -> str:
        return self.leaky(self._conv(x, "stem", stride=4, pad=0))

    def _colours(self, x0: str) -> tuple[str, str]:
        weight, bias = self._state["paint.weight"], self._state["paint.bias"]
        colours = len(bias) * 3 // 4  # the last quarter of the channels is the cover
        self._marking = True  # apart, as levels and covers have other ranges
        paint = self._conv_of(x0, weight[:colours] * 255, bias[:colours] * 255 + HALF_LEVEL, 1, 1)
        cover = self._conv_of(x0, weight[colours:], bias[colours:], 1, 1)
        self._marking = False
        return self._spread(paint), self.node("Sigmoid", self._spread(cover))

    def _spread(self, x: str) -> str:
        return self.node("DepthToSpace", x, blocksize=4, mode="CRD")

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

    def cut(self, x: str, box: Box, scale: int) -> str:
        """The box's part of a grid (1, C, H, W) that has `scale` points per cell."""
        corners = np.array(box) * scale
        return self.slice(x, (corners[0], corners[1]), (corners[2], corners[3]))

    def slice(self, x: str, rows: tuple[int, int], columns: tuple[int, int]) -> str:
        """Some rows and columns of a grid (1, C, H, W)."""
        starts, ends = (self.constant(np.array([rows[k], columns[k]])) for k in (0, 1))
        return self.node("Slice", x, starts, ends, self.constant(np.array([2, 3])))

    def cast(self, x: str, kind: int) -> str:
        """x in another element type."""
        return self.nodes("Cast", [x], [f"{x}_cast"], to=kind)[0]

    def covered(self, under: str, over: str, cover: str) -> str:
        """`over` on `under` where `cover` is 1."""
        return self.node("Add", under, self.node("Mul", self.node("Sub", over, under), cover))

    def framed(self, picture: str, inner: str, box: Box, outer: Box) -> str:
        """`picture`, which shows the box `outer`, with `inner` in the place of `box`: joined from strips."""
        top, bottom, left, right = np.array(box.within(outer)) * CELL
        height, width = (outer.bottom - outer.top) * CELL, (outer.right - outer.left) * CELL
        beside = [self.slice(picture, (top, bottom), part) for part in ((0, left), (right, width))]
        band = self.node("Concat", beside[0], inner, beside[1], axis=3)
        strips = [self.slice(picture, part, (0, width)) for part in ((0, top), (bottom, height))]
        return self.node("Concat", strips[0], band, strips[1], axis=2)


@dataclass(frozen=True)
class _Texture:
    """Levels (C, H, W), 0..255, of a texture, and the corner (x, y) in pixels where it lies in the whole one."""

    levels: Array
    left: int
    top: int

    @classmethod
    def of_person(cls, model: LiteRenderer) -> "_Texture":
        """Colours times opacity, and the background's share; of the texture what is not transparent, and its edge."""
        texture = model.texture.detach().numpy()[0].astype(np.float32).clip(0, 1)
        opacity = texture[3:]
        levels = np.concatenate([texture[:3] * opacity, 1 - opacity]) * 255
        rows, columns = (np.flatnonzero((opacity[0] > 1 / 255).any(axis=axis)) for axis in (1, 0))
        top, left = (max(0, int(line.min()) - OPAQUE_PX) for line in (rows, columns))
        bottom, right = (int(line.max()) + 1 + OPAQUE_PX for line in (rows, columns))
        return cls(levels[:, top:bottom, left:right], left, top)

    @classmethod
    def of_lids(cls, model: LiteRenderer) -> "_Texture":
        """The closed eyes' colours."""
        corner = model.painter.shape.lids
        return cls(model.lids.detach().numpy()[0].clip(0, 1) * 255, corner.left * CELL, corner.top * CELL)


def _table(graph: _Painting, texture: _Texture) -> tuple[str, int, int]:
    """Rows of pixels ((H' * W'), row * C) uint8 that begin at each of the H' x W' positions in the enlarged texture."""
    channels, height, width = texture.levels.shape
    tall, wide = graph.steps * (height - 1) + 1, graph.steps * (width - 1) + 1
    beyond = np.pad(texture.levels, ((0, 0), (0, 0), (0, graph.row)), mode="edge")
    sizes = graph.constant(np.array([1, channels, tall, wide + graph.steps * graph.row]))
    levels, how = graph.constant(np.round(beyond)[None]), {"coordinate_transformation_mode": "align_corners"}
    enlarged = graph.node("Round", graph.node("Resize", levels, "", "", sizes, mode="linear", **how))
    pixels = graph.node("Transpose", graph.cast(enlarged, TensorProto.UINT8), perm=[0, 2, 3, 1])
    axis = graph.constant(np.array([2]))
    shifted = []
    for k in range(graph.row):
        edges = (graph.constant(np.array([graph.steps * k + end])) for end in (0, wide))
        shifted.append(graph.node("Slice", pixels, *edges, axis))
    flat = graph.constant(np.array([tall * wide, graph.row * channels]))
    return graph.node("Reshape", graph.node("Concat", *shifted, axis=3), flat), tall, wide


def _moved(graph: _Painting, texture: _Texture, flow: str, box: Box, side: int) -> str:
    """The texture (1, C, h, w) uint8 as the flow (1, 2, S/16, S/16), in steps, moves it into a box of the picture."""
    table, tall, wide = _table(graph, texture)
    rows, columns = (np.arange(*ends) * CELL for ends in ((box.top, box.bottom), (box.left, box.right)))
    rows, columns = (np.arange(line[0], line[-1] + CELL) for line in (rows, columns))
    firsts = columns[:: graph.row]
    cells = side // FLOW_CELL
    down, across = _spreading(rows, cells, side), _spreading(firsts + (graph.row - 1) / 2, cells, side)
    # As two products: a Resize here runs on sixteen channels, fourteen of them padding.
    fine = graph.node("MatMul", graph.node("MatMul", graph.constant(down), flow), graph.constant(across.T))
    x, y = graph.split(fine, [1, 1])
    column = _position(graph, x, graph.steps * (firsts - texture.left).reshape(1, 1, 1, -1), wide)
    row = _position(graph, y, graph.steps * (rows - texture.top).reshape(1, 1, -1, 1), tall)
    index = graph.node("Add", graph.node("Mul", row, graph.constant(np.float32(wide))), column)
    shape = len(rows), len(firsts)
    flat = graph.node("Reshape", graph.cast(index, TensorProto.INT32), graph.constant(np.array(shape)))
    taken = graph.node("Gather", table, flat, axis=0)
    channels = len(texture.levels)
    planes = np.array([1, len(rows) * len(columns), channels])
    turned = graph.node("Transpose", graph.node("Reshape", taken, graph.constant(planes)), perm=[0, 2, 1])
    return graph.node("Reshape", turned, graph.constant(np.array([1, channels, len(rows), len(columns)])))


def _position(graph: _Painting, flow: str, own: NDArray[np.signedinteger], count: int) -> str:
    """Whole steps 0..count-1 of a flow added to a pixel's own place."""
    placed = graph.node("Add", flow, graph.constant(own.astype(np.float32)))
    limits = graph.constant(np.float32(0)), graph.constant(np.float32(count - 1))
    return graph.node("Round", graph.node("Clip", placed, *limits))


def _spreading(pixels: NDArray[np.floating | np.signedinteger], cells: int, side: int) -> Array:
    """Weights (P, cells) that give pixels a value between the cells', pixels and cells meeting at their outer edges."""
    places = (pixels + 0.5) * cells / side - 0.5
    return np.stack([np.interp(places, np.arange(cells), one) for one in np.eye(cells)], axis=1).astype(np.float32)


def _composed(graph: _Painting, model: LiteRenderer, flow: str) -> str:
    """The moved texture before the background (1, 3, S, S), 0..255."""
    side = model.painter.shape.side
    whole = Box(0, side // CELL, 0, side // CELL)
    colours, through = graph.split(_moved(graph, _Texture.of_person(model), flow, whole, side), [3, 1])
    # Where nothing is before it, the background is rounded, not cut off; colours are whole levels already.
    background = (model.background.detach().numpy().astype(np.float32).clip(0, 1) * 255 + HALF_LEVEL) / 255
    behind = graph.node("Mul", graph.cast(through, TensorProto.FLOAT), graph.constant(background))
    both = graph.node("Add", graph.cast(colours, TensorProto.FLOAT), behind)
    limits = graph.constant(np.float32(0)), graph.constant(np.float32(255))
    return graph.node("Clip", both, *limits)  # both rounded up make 256, which as a level is 0


def _repainted(graph: _Painting, model: LiteRenderer, picture: str, painted: _Painted) -> None:
    """The frame: the picture with its window painted over, and within it the eyes covered by their lids."""
    shape = model.painter.shape
    whole = Box(0, shape.side // CELL, 0, shape.side // CELL)
    closed = _moved(graph, _Texture.of_lids(model), painted.flow, shape.eyes, shape.side)
    closed = graph.cast(closed, TensorProto.FLOAT)
    eyes = graph.covered(graph.cut(picture, shape.eyes, CELL), closed, painted.lids)
    under = graph.framed(graph.cut(picture, shape.window, CELL), eyes, shape.eyes, shape.window)
    # Paint that covers little may be darker than black or brighter than white: only what it makes is cut off.
    limits = graph.constant(np.float32(0)), graph.constant(np.float32(255))
    over = graph.node("Clip", graph.covered(under, painted.paint, painted.cover), *limits)
    over = graph.cast(over, TensorProto.UINT8)
    frame = graph.framed(graph.cast(picture, TensorProto.UINT8), over, shape.window, whole)
    graph.node("Identity", frame, to="frame")

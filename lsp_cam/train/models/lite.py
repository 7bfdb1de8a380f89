"""The lite renderer: a generator for two CPU cores (about 0.8 GMAC for 512 x 512).

The picture is made of what is constant for the subject: a texture (the portrait in one pose, with its opacity), the
lids (the same with closed eyes) and the background, all learned. The network says where each part of the texture has
moved, how far the lids cover the eyes, and paints anew, inside one window around the face, what no movement of the
texture can show: mouth, shading. Sharpness thus costs no arithmetic, and four candidate images need not be fed.

The movement is a coarse flow. Most of it follows from the head's pose, which one fully connected layer reads off the
whole map: convolutions alone are right to a third of a pixel, and that is what hair and knitwear lose their look by.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

CELL = 8  # pixels per cell of the grid that boxes are told in
FLOW_CELL = 16  # pixels per cell of the flow; the window is made of whole ones
FULL_SIDE = 512  # pixels; a smaller picture leaves time to paint all of it, by more, and to move it in finer steps
MODES = 45  # numbers that tell the movement of the whole: 1, eight of head and body, and the products of these
PULL = 10.0  # pixels: lets small weights make movements of pixels
LIDS_MARGIN = 4  # cells around the eyes' box that the lids' texture has besides


class Box(NamedTuple):
    """Rows top..bottom and columns left..right, in cells of 8 pixels."""

    top: int
    bottom: int
    left: int
    right: int

    def rows(self, scale: int) -> slice:
        """Its rows on a grid that has `scale` points per cell."""
        return slice(self.top * scale, self.bottom * scale)

    def columns(self, scale: int) -> slice:
        """Its columns on that grid."""
        return slice(self.left * scale, self.right * scale)

    def of(self, x: Tensor, scale: int) -> Tensor:
        """Its part of a grid (B, C, H, W) that has `scale` points per cell."""
        return x[:, :, self.rows(scale), self.columns(scale)]

    def within(self, outer: "Box") -> "Box":
        """The same box, counted from the corner of `outer`."""
        return Box(self.top - outer.top, self.bottom - outer.top, self.left - outer.left, self.right - outer.left)

    def in_groups(self, cells: int) -> "Box":
        """The same box in groups of `cells`, which it is made of."""
        return Box(*(edge // cells for edge in self))

    def grown(self, cells: int, side: int) -> "Box":
        """The box with `cells` more on each side, as far as a picture of `side` cells goes."""
        low, high = max(0, self.top - cells), min(side, self.bottom + cells)
        return Box(low, high, max(0, self.left - cells), min(side, self.right + cells))


@dataclass(frozen=True)
class Shape:
    """Sizes: picture side in pixels, channels per level (1/4, 1/8, 1/16, 1/32, 1/64), what is painted, and the eyes."""

    side: int
    window: Box
    eyes: Box
    widths: tuple[int, int, int, int, int] = (48, 64, 96, 128, 160)

    @property
    def lids(self) -> Box:
        """Where in the texture the lids are."""
        return self.eyes.grown(LIDS_MARGIN, self.side // CELL)


def _conv(given: int, made: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(given, made, kernel, stride, padding=(kernel - 1) // 2 if stride != kernel else 0)
    nn.init.kaiming_normal_(layer.weight, a=0.2)  # there is no normalisation that would mend a weaker start
    return layer


def _act(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _lid_reader() -> nn.Sequential:
    """Eyes' part of the map to their lids: few numbers of their own tell more than many that serve the paint."""
    layers: list[nn.Module] = [_conv(1, 32, 4, 4)]
    for made in (32, 32, 16):
        layers += [nn.LeakyReLU(0.2), _conv(32, made)]
    return nn.Sequential(*layers)


class Painter(nn.Module):
    """Map (B, 1, S, S) in 0..1 to flow (B, 2, S/16, S/16) in pixels, paint (B, 4, h, w) of the window and lids.

    Paint is red, green, blue (about 0..1) and the logit of how much of it covers the warped texture; lids
    (B, 1, e, f) are the logits, over the eyes' box, of how much the closed eyes show.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        a, b, c, d, e = shape.widths
        self.stem = _conv(1, a, 4, 4)
        self.down1, self.down2 = _conv(a, b, 3, 2), _conv(b, c, 3, 2)
        self.down3, self.down4 = _conv(c, d, 3, 2), _conv(d, e, 3, 2)
        self.deep1, self.deep2 = _conv(e, e), _conv(e, e)
        self.up3, self.up2, self.up1, self.up0 = _conv(e, d), _conv(d, c), _conv(c, b), _conv(b, a)
        self.flow = _conv(c, 2)
        self.paint = _conv(a, 64)
        self.lid = _lid_reader()
        cells = shape.side // 16  # constants of the place, which plain convolutions cannot know
        self.place2 = nn.Parameter(torch.zeros(1, c, cells, cells))
        self.place3 = nn.Parameter(torch.zeros(1, d, cells // 2, cells // 2))
        self.place4 = nn.Parameter(torch.zeros(1, e, cells // 4, cells // 4))
        self.pose = nn.Linear(e * (cells // 4) ** 2, MODES)
        self.sway = nn.Parameter(torch.zeros(MODES, 2 * cells * cells))  # flows that they add up to
        self._start_calm()

    def _start_calm(self) -> None:
        """Begin with hardly any flow and paint, so that training begins from the still texture."""
        lids = self.lid[-1]
        assert isinstance(lids, nn.Conv2d)
        for layer, gain in ((self.flow, 0.02), (self.paint, 0.1), (lids, 0.1)):
            with torch.no_grad():
                layer.weight.mul_(gain)
                assert layer.bias is not None
                layer.bias.zero_()
        with torch.no_grad():
            assert self.paint.bias is not None
            assert lids.bias is not None
            self.paint.bias[:48] = 0.5
            self.paint.bias[48:] = -1.5
            lids.bias.fill_(-1.5)

    def encoder(self) -> list[nn.Parameter]:
        """What the pose is read from."""
        layers = (self.stem, self.down1, self.down2, self.down3, self.down4, self.deep1, self.deep2)
        return [*(p for layer in layers for p in layer.parameters()), self.place2, self.place3, self.place4]

    def flow_of(self, feature_map: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Flow (B, 2, S/16, S/16) in pixels, modes (B, MODES), and what the paint is made from."""
        quarter = _act(self.stem(feature_map))  # (B, 48, 128, 128)
        eighth = _act(self.down1(quarter))  # (B, 64, 64, 64)
        x2 = _act(self.down2(eighth) + self.place2)  # (B, 96, 32, 32)
        x3 = _act(self.down3(x2) + self.place3)  # (B, 128, 16, 16)
        x4 = _act(self.down4(x3) + self.place4)  # (B, 160, 8, 8)
        x4 = x4 + 0.5 * self.deep2(_act(self.deep1(x4)))
        x3 = _act(self.up3(_twice(x4)) + x3)
        x2 = _act(self.up2(_twice(x3)) + x2)
        modes = self.pose(x4.flatten(1))
        return self.flow(x2) * PULL + self.swayed(modes), modes, (quarter, eighth, x2)

    def swayed(self, modes: Tensor) -> Tensor:
        """Flow (B, 2, S/16, S/16) in pixels of modes (B, MODES)."""
        return (modes @ self.sway).view(-1, *self.flow_shape) * PULL

    @property
    def flow_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of the flow."""
        cells = self.shape.side // FLOW_CELL
        return 2, cells, cells

    def forward(self, feature_map: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Flow, modes, paint and lids, see above."""
        flow, modes, (quarter, eighth, x2) = self.flow_of(feature_map)
        window = self.shape.window
        x1 = _act(self.up1(window.of(_twice(x2), 1)) + window.of(eighth, 1))
        x0 = _act(self.up0(_twice(x1)) + window.of(quarter, 2))
        lids = self.lid(self.shape.eyes.of(feature_map, CELL))
        return flow, modes, functional.pixel_shuffle(self.paint(x0), 4), functional.pixel_shuffle(lids, 4)


class Drawn(NamedTuple):
    """A picture (B, 3, S, S), RGB about 0..1; for the losses: source (B, 2, S, S), modes, paint's cover, lids."""

    picture: Tensor
    source: Tensor
    modes: Tensor
    cover: Tensor
    lids: Tensor


class LiteRenderer(nn.Module):
    """Map (B, 1, S, S) in 0..1 to the picture."""

    def __init__(self, shape: Shape, texture: Tensor | None = None, background: Tensor | None = None) -> None:
        """`texture` (4, S, S), RGB and opacity in 0..1, and `background` (3, S, S): where training begins."""
        super().__init__()
        side = shape.side
        self.painter = Painter(shape)
        self.texture = nn.Parameter(torch.full((1, 4, side, side), 0.5) if texture is None else texture[None].clone())
        self.background = nn.Parameter(
            torch.full((1, 3, side, side), 0.5) if background is None else background[None].clone()
        )
        self.lids = nn.Parameter(shape.lids.of(self.texture.detach()[:, :3], CELL).clone())
        rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        self.register_buffer("grid", torch.stack([columns, rows])[None].float(), persistent=False)

    def source(self, flow: Tensor) -> Tensor:
        """Texture coordinates (B, 2, S, S), x and y in pixels, that each picture pixel shows."""
        side = self.painter.shape.side
        fine = functional.interpolate(flow.float(), size=(side, side), mode="bilinear", align_corners=False)
        assert isinstance(self.grid, Tensor)
        return self.grid + fine

    def forward(self, feature_map: Tensor) -> Drawn:
        """Picture, source coordinates, modes, the paint's cover (B, 1, h, w), and the lids' logits (B, 1, e, f)."""
        flow, modes, paint, lids = self.painter(feature_map)
        source = self.source(flow)
        picture = self.composed(source)
        shape = self.painter.shape
        corner = source.new_tensor([shape.lids.left, shape.lids.top])[None, :, None, None] * CELL
        closed = _sampled(self.lids, shape.eyes.of(source, CELL) - corner)
        picture = self._covered(picture, closed, torch.sigmoid(lids.float()), shape.eyes)
        cover = torch.sigmoid(paint[:, 3:].float())
        return Drawn(self._covered(picture, paint[:, :3].float(), cover, shape.window), source, modes, cover, lids)

    def composed(self, source: Tensor) -> Tensor:
        """The moved texture before the background (B, 3, S, S), nothing painted."""
        moved = _sampled(self.texture, source)
        return self.background + (moved[:, :3] - self.background) * moved[:, 3:].clamp(0, 1)

    def _covered(self, picture: Tensor, over: Tensor, cover: Tensor, box: Box) -> Tensor:
        """`picture` with `over` (B, 3, h, w) on a box of it, where `cover` (B, 1, h, w) is 1."""
        cells = self.painter.shape.side // CELL
        change = (over - box.of(picture, CELL)) * cover
        margins = (box.left, cells - box.right, box.top, cells - box.bottom)
        return picture + functional.pad(change, [CELL * margin for margin in margins])


def _sampled(texture: Tensor, source: Tensor) -> Tensor:
    """Texture (1, C, H, W) at coordinates (B, 2, h, w), x and y in its pixels; its edge goes on for ever."""
    size = source.new_tensor([texture.shape[3] - 1, texture.shape[2] - 1])
    unit = source.permute(0, 2, 3, 1) * (2.0 / size) - 1.0
    many = texture.expand(len(source), -1, -1, -1)
    return functional.grid_sample(many, unit, mode="bilinear", padding_mode="border", align_corners=True)

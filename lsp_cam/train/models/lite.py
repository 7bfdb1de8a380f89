"""The lite renderer: a generator for two CPU cores (about 0.85 GMAC for 512 x 512).

The picture is made of what is constant for the subject: a texture (the portrait in one pose, with its opacity) and the
background, both learned. The network only says where each part of the texture has moved (a coarse flow), and paints
anew, inside one window around the face, what no movement of the texture can show: mouth, eyes, shading.
Sharpness thus costs no arithmetic, and four candidate images need not be fed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

CELL = 8  # pixels per cell of the finest grid that the window is aligned to


@dataclass(frozen=True)
class Shape:
    """Sizes: picture side in pixels, channels per level (1/4, 1/8, 1/16, 1/32, 1/64), window in cells of 8 pixels."""

    side: int = 512
    widths: tuple[int, int, int, int, int] = (48, 64, 96, 128, 160)
    top: int = 8
    bottom: int = 56
    left: int = 16
    right: int = 48


def _conv(given: int, made: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    layer = nn.Conv2d(given, made, kernel, stride, padding=(kernel - 1) // 2 if stride != kernel else 0)
    nn.init.kaiming_normal_(layer.weight, a=0.2)  # there is no normalisation that would mend a weaker start
    return layer


def _act(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, 0.2)


def _twice(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class Painter(nn.Module):
    """Map (B, 1, S, S) in 0..1 to flow (B, 2, S/16, S/16) in pixels and paint (B, 4, h, w) of the window.

    Paint is red, green, blue (about 0..1) and the logit of how much of it covers the warped texture.
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
        cells = shape.side // 16  # constants of the place, which plain convolutions cannot know
        self.place2 = nn.Parameter(torch.zeros(1, c, cells, cells))
        self.place3 = nn.Parameter(torch.zeros(1, d, cells // 2, cells // 2))
        self.place4 = nn.Parameter(torch.zeros(1, e, cells // 4, cells // 4))
        self._start_calm()

    def _start_calm(self) -> None:
        """Begin with hardly any flow and paint, so that training begins from the still texture."""
        for layer, gain in ((self.flow, 0.02), (self.paint, 0.1)):
            with torch.no_grad():
                layer.weight.mul_(gain)
                assert layer.bias is not None
                layer.bias.zero_()
        with torch.no_grad():
            assert self.paint.bias is not None
            self.paint.bias[:48] = 0.5
            self.paint.bias[48:] = -1.5

    def window(self, x: Tensor, cells: int) -> Tensor:
        """The window's part of a grid that has `cells` points per cell of 8 pixels."""
        s = self.shape
        return x[:, :, s.top * cells : s.bottom * cells, s.left * cells : s.right * cells]

    def flow_of(self, feature_map: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Flow (B, 2, S/16, S/16) in pixels, and what the paint is made from."""
        quarter = _act(self.stem(feature_map))  # (B, 48, 128, 128)
        eighth = _act(self.down1(quarter))  # (B, 64, 64, 64)
        x2 = _act(self.down2(eighth) + self.place2)  # (B, 96, 32, 32)
        x3 = _act(self.down3(x2) + self.place3)  # (B, 128, 16, 16)
        x4 = _act(self.down4(x3) + self.place4)  # (B, 160, 8, 8)
        x4 = x4 + 0.5 * self.deep2(_act(self.deep1(x4)))
        x3 = _act(self.up3(_twice(x4)) + x3)
        x2 = _act(self.up2(_twice(x3)) + x2)
        flow = self.flow(x2) * 10.0  # the scale lets small weights make movements of pixels
        return flow, (quarter, eighth, x2)

    def forward(self, feature_map: Tensor) -> tuple[Tensor, Tensor]:
        """Flow and paint, see above."""
        flow, (quarter, eighth, x2) = self.flow_of(feature_map)
        x1 = _act(self.up1(self.window(_twice(x2), 1)) + self.window(eighth, 1))
        x0 = _act(self.up0(_twice(x1)) + self.window(quarter, 2))
        return flow, functional.pixel_shuffle(self.paint(x0), 4)


class LiteRenderer(nn.Module):
    """Map (B, 1, S, S) in 0..1 to the picture (B, 3, S, S), RGB about 0..1."""

    def __init__(self, shape: Shape, texture: Tensor | None = None, background: Tensor | None = None) -> None:
        """`texture` (4, S, S), RGB and opacity in 0..1, and `background` (3, S, S): where training begins."""
        super().__init__()
        side = shape.side
        self.painter = Painter(shape)
        self.texture = nn.Parameter(torch.full((1, 4, side, side), 0.5) if texture is None else texture[None].clone())
        self.background = nn.Parameter(
            torch.full((1, 3, side, side), 0.5) if background is None else background[None].clone()
        )
        rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        self.register_buffer("grid", torch.stack([columns, rows])[None].float(), persistent=False)

    def source(self, flow: Tensor) -> Tensor:
        """Texture coordinates (B, 2, S, S), x and y in pixels, that each picture pixel shows."""
        side = self.painter.shape.side
        fine = functional.interpolate(flow, size=(side, side), mode="bilinear", align_corners=False)
        assert isinstance(self.grid, Tensor)
        return self.grid + fine

    def forward(self, feature_map: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The picture; the source coordinates and the paint's cover (B, 1, h, w), for the losses on them."""
        flow, paint = self.painter(feature_map)
        source = self.source(flow)
        side = self.painter.shape.side
        unit = source.permute(0, 2, 3, 1) * (2.0 / (side - 1)) - 1.0
        texture = self.texture.expand(len(flow), -1, -1, -1)
        moved = functional.grid_sample(texture, unit, mode="bilinear", padding_mode="border", align_corners=True)
        opacity = moved[:, 3:].clamp(0, 1)
        picture = self.background + (moved[:, :3] - self.background) * opacity
        cover = torch.sigmoid(paint[:, 3:])
        return self.painted(picture, paint[:, :3], cover), source, cover

    def painted(self, picture: Tensor, paint: Tensor, cover: Tensor) -> Tensor:
        """`picture` with the window painted over."""
        s = self.painter.shape
        rows, columns = slice(s.top * CELL, s.bottom * CELL), slice(s.left * CELL, s.right * CELL)
        under = picture[:, :, rows, columns]
        over = under + (paint - under) * cover
        margins = (s.left * CELL, s.side - s.right * CELL, s.top * CELL, s.side - s.bottom * CELL)
        # Padding and adding instead of writing into a slice: one pass, and plain operators in the exported graph.
        return picture + functional.pad(over - under, margins)

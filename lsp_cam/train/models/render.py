"""The published generators: a U-Net with residual blocks, map and candidate images to the picture (section 3.4)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Published = Literal["normal", "large"]
Kind = Published | Literal["plain"]  # the U-Net without residual blocks of the paper's table 3

MAP_CHANNELS = 1
CANDIDATE_CHANNELS = 12
PICTURE_CHANNELS = 3
WIDTHS = (1, 2, 4, 8, 8, 8, 8, 8)  # of the eight levels, times `ngf`
RESIDUALS: dict[Kind, int] = {"normal": 1, "large": 2, "plain": 0}  # blocks on each side of each level


class ResidualBlock(nn.Module):
    """x (B, C, H, W) plus two convolutions of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.block = nn.Sequential(
            _conv(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            _conv(channels, channels),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(x + self.block(x))
        return y


class Level(nn.Module):
    """Halves its input, runs the level below, doubles again; the input goes around (all but the outermost level).

    The order of the layers in `model` is that of the published state dicts, whose keys are their numbers.
    """

    def __init__(self, given: int, width: int, made: int, residuals: int, below: Level | None, outermost: bool) -> None:
        super().__init__()
        self.outermost = outermost
        down: list[nn.Module] = [_conv(given, width, stride=2)]
        if below is not None and not outermost:
            down.append(nn.BatchNorm2d(width))
        down += [nn.ReLU(inplace=True), *(ResidualBlock(width) for _ in range(residuals))]
        up: list[nn.Module] = [nn.Upsample(scale_factor=2, mode="nearest")]
        up.append(_conv(width if below is None else 2 * width, made))
        if outermost:
            up.append(nn.Tanh())
        else:
            up += [nn.BatchNorm2d(made), nn.ReLU(inplace=True), *(ResidualBlock(made) for _ in range(residuals))]
        self.model = nn.Sequential(*down, *([] if below is None else [below]), *up)

    def forward(self, x: Tensor) -> Tensor:
        """(B, given, H, W) to (B, given + made, H, W), or (B, made, H, W) at the outermost level."""
        y: Tensor = self.model(x)
        return y if self.outermost else torch.cat([x, y], dim=1)


class Generator(nn.Module):
    """Map in 0..1 and four candidate images in -1..1, together (B, 13, S, S), to the picture (B, 3, S, S) in -1..1.

    S is a multiple of 256. State-dict keys are those of the published files (`model.model.0.weight` ...).
    """

    def __init__(self, kind: Kind = "normal", ngf: int = 64) -> None:
        super().__init__()
        residuals = RESIDUALS[kind]
        level: Level | None = None
        for depth in range(len(WIDTHS) - 1, 0, -1):
            outer = WIDTHS[depth - 1] * ngf
            level = Level(outer, WIDTHS[depth] * ngf, outer, residuals, level, outermost=False)
        self.model = Level(MAP_CHANNELS + CANDIDATE_CHANNELS, ngf, PICTURE_CHANNELS, residuals, level, outermost=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)
        return y


def _conv(given: int, made: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, stride, padding=1, bias=False)

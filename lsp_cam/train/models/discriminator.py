"""The discriminator: PatchGANs that look at the picture in several sizes (section 4.2.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

KERNEL = 4
WIDEST = 8  # times `ndf`


class PatchJudge(nn.Module):
    """Map and picture (B, C, H, W) to verdicts (B, 1, h, w) on overlapping patches: 1 is true, 0 is made."""

    def __init__(self, given: int, ndf: int, halvings: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Sequential(_conv(given, ndf, 2), nn.LeakyReLU(0.2))]
        width = ndf
        for number in range(1, halvings + 1):
            wider = min(2 * width, WIDEST * ndf)
            stride = 2 if number < halvings else 1
            layers.append(nn.Sequential(_conv(width, wider, stride), nn.InstanceNorm2d(wider), nn.LeakyReLU(0.2)))
            width = wider
        layers.append(_conv(width, 1, 1))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of every layer; the last are the verdicts."""
        features = []
        for layer in self.layers:
            x = layer(x)
            features.append(x)
        return features


class Discriminator(nn.Module):
    """Judges of the picture at full, half, ... size, each with the map that the picture belongs to."""

    def __init__(self, given: int, ndf: int = 64, halvings: int = 3, scales: int = 2) -> None:
        super().__init__()
        self.judges = nn.ModuleList(PatchJudge(given, ndf, halvings) for _ in range(scales))

    def forward(self, feature_map: Tensor, picture: Tensor) -> list[list[Tensor]]:
        """Features by scale and layer of maps (B, 1, S, S) and pictures (B, 3, S, S)."""
        x, judged = torch.cat([feature_map, picture], dim=1), []
        for judge in self.judges:
            judged.append(judge(x))
            x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
        return judged


def _conv(given: int, made: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, KERNEL, stride, padding=KERNEL // 2)

"""Losses of the lite renderer that compare pictures (B, 3, H, W) in 0..1, or look at the movement."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional


def edge_loss(ours: Tensor, truth: Tensor, weights: Tensor, levels: int = 3) -> Tensor:
    """Weighted L1 of horizontal and vertical differences at full, half and quarter size: keeps pictures sharp."""
    error, total = ours - truth, ours.new_zeros(())
    for _ in range(levels):
        across = (error[..., 1:] - error[..., :-1]).abs() * weights[..., 1:]
        down = (error[..., 1:, :] - error[..., :-1, :]).abs() * weights[..., 1:, :]
        total = total + across.mean() + down.mean()
        error, weights = functional.avg_pool2d(error, 2), functional.avg_pool2d(weights, 2)
    return total / levels


def structure_loss(ours: Tensor, truth: Tensor, stride: int = 2) -> Tensor:
    """1 - SSIM (Wang et al. 2004) of the channels' mean, RGB (B, 3, S, S) in 0..1, at every `stride`-th pixel.

    Blurring is a product with a banded matrix: single-channel convolutions are slow to differentiate on a CPU.
    """
    blur = _gaussian_rows(ours.shape[-1], stride).to(ours.device)
    a, b = ours.mean(1), truth.mean(1)
    a, b, aa, bb, ab = (blur @ torch.stack([a, b, a * a, b * b, a * b]) @ blur.T).unbind()
    aa, bb, ab = aa - a * a, bb - b * b, ab - a * b
    alike = (2 * a * b + 1e-4) * (2 * ab + 9e-4) / ((a * a + b * b + 1e-4) * (aa + bb + 9e-4))
    return 1 - alike.mean()


@cache
def _gaussian_rows(side: int, stride: int) -> Tensor:
    """Weights (N, side): each row a Gaussian window of 11 (sigma 1.5), `stride` pixels after the one before."""
    centres = torch.arange(5, side - 5, stride)[:, None]
    away = torch.arange(side)[None] - centres
    rows = torch.exp(-0.5 * (away / 1.5) ** 2) * (away.abs() <= 5)
    return rows / rows.sum(dim=1, keepdim=True)


def lids_loss(lids: Tensor, wanted: Tensor) -> Tensor:
    """How wrong the lids' logits (B, 1, e, f) are where `wanted` (B, 1, e, f) is 0 or 1, not -1."""
    known = (wanted >= 0).float()
    wrong = functional.binary_cross_entropy_with_logits(lids.float(), wanted.clamp(min=0), reduction="none")
    return (wrong * known).sum() / (known.sum() + 1)


def bend_loss(source: Tensor) -> Tensor:
    """How much the source coordinates (B, 2, S, S) bend, in pixels: movement is smooth where nothing tells it."""
    coarse = source[:, :, ::16, ::16]
    across = (coarse[..., 2:] - 2 * coarse[..., 1:-1] + coarse[..., :-2]).abs().mean()
    return across + (coarse[..., 2:, :] - 2 * coarse[..., 1:-1, :] + coarse[..., :-2, :]).abs().mean()


def anchor_loss(source: Tensor, anchors: Tensor, still: Tensor) -> Tensor:
    """Mean distance in pixels between where steady points are taken from and where they are in the still frame."""
    side = source.shape[-1]
    unit = anchors[:, None] * (2.0 / (side - 1)) - 1.0
    taken = functional.grid_sample(source, unit, align_corners=True)[:, :, 0].transpose(1, 2)
    return (taken - still).abs().mean()

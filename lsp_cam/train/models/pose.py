"""The head-pose network (section 3.3): dilated causal convolutions over past poses, conditioned on speech."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lsp_cam.stages.pose import CHANNELS, DILATIONS, POSE, RAW
from lsp_cam.train.models.mouth import DOWNSAMPLED, SLOPE, downsampler

__all__ = ["CHANNELS", "DILATIONS", "LOOK_AHEAD", "POSE", "RAW", "RECEPTIVE_FIELD", "SKIP", "PoseNet", "gaussian_nll"]

LOOK_AHEAD = 15
SKIP = 256
RECEPTIVE_FIELD = 1 + sum(DILATIONS)
INPUT_DROPOUT = 0.5
SMALLEST_SIGMA = 0.03


class ResidualBlock(nn.Module):
    """One layer: gated convolution of two taps `dilation` steps apart, with speech added inside the gate."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.filter_conv = nn.Conv1d(CHANNELS, CHANNELS, 2, dilation=dilation)
        self.gate_conv = nn.Conv1d(CHANNELS, CHANNELS, 2, dilation=dilation)
        self.residual_conv = nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.skip_conv = nn.Conv1d(CHANNELS, SKIP, 1)
        self.cond_filter_conv = nn.Conv1d(DOWNSAMPLED, CHANNELS, 1)
        self.cond_gate_conv = nn.Conv1d(DOWNSAMPLED, CHANNELS, 1)

    def forward(self, x: Tensor, speech: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, 128, T) and speech (B, 512, T) to the next layer's input (B, 128, T) and the skip (B, 256, T)."""
        padded = functional.pad(x, (self.dilation, 0))
        value = torch.tanh(self.filter_conv(padded) + self.cond_filter_conv(speech))
        z = value * torch.sigmoid(self.gate_conv(padded) + self.cond_gate_conv(speech))
        return self.residual_conv(z) + x, self.skip_conv(z)


class DilatedStack(nn.Module):
    """History (B, 12, T) and downsampled speech (B, 512, T) to the parameters of the next pose (B, 25, T)."""

    def __init__(self) -> None:
        super().__init__()
        self.start_conv1 = nn.Conv1d(POSE, CHANNELS, 1)
        self.start_conv2 = nn.Conv1d(CHANNELS, CHANNELS, 1)
        self.residual_blocks = nn.ModuleList(ResidualBlock(d) for d in DILATIONS)
        self.end_conv_1 = nn.Conv1d(SKIP, RAW, 1)
        self.end_conv_2 = nn.Conv1d(RAW, RAW, 1)

    def forward(self, history: Tensor, speech: Tensor) -> Tensor:
        x = functional.leaky_relu(self.start_conv1(functional.dropout(history, INPUT_DROPOUT, self.training)), SLOPE)
        x = functional.leaky_relu(self.start_conv2(x), SLOPE)
        skips = []
        for block in self.residual_blocks:
            x, skip = block(x, speech)
            skips.append(skip)
        end = self.end_conv_1(functional.leaky_relu(torch.stack(skips).sum(0), SLOPE))
        raw: Tensor = self.end_conv_2(functional.leaky_relu(end, SLOPE))
        return raw


class PoseNet(nn.Module):
    """Speech features and past poses to the Gaussian of each next pose.

    State-dict keys are those of the published file (`audio_downsample.0.weight`, `WaveNet.start_conv1.weight` ...).
    """

    def __init__(self) -> None:
        super().__init__()
        self.audio_downsample = downsampler()
        self.WaveNet = DilatedStack()

    def forward(self, features: Tensor, history: Tensor) -> Tensor:
        """features (B, T, 1024), history (B, T, 12), position by position, to raw (B, T, 25).

        Row t of `raw` ([mixture logit, 12 means, 12 negative log sigmas]) sees rows t - 254 .. t of both inputs:
        for pose i feed pose i - 1 as its history and the speech of frame i + 15. In training the history is
        dropped out with probability 0.5. The first 254 rows see zero padding, so a loss should leave them out.
        """
        batch, steps, _ = features.shape
        down = self.audio_downsample(features.reshape(batch * steps, -1)).reshape(batch, steps, -1)
        raw: Tensor = self.WaveNet(history.transpose(1, 2), down.transpose(1, 2)).transpose(1, 2)
        return raw


def gaussian_nll(raw: Tensor, target: Tensor, smallest_sigma: float | None = SMALLEST_SIGMA) -> Tensor:
    """Negative log-likelihood (nats) of target (B, T, 12) under raw (B, T, 25) (section 4.2.3, eq. 11).

    The mean over all frames and all 12 numbers, as published. A sigma below `smallest_sigma` counts as it and is
    not pushed any further, which keeps a number that hardly moves from ruling the loss; None sets no bound.
    """
    mean, sharpness = raw[..., 1 : 1 + POSE], raw[..., 1 + POSE :]
    if smallest_sigma is not None:
        sharpness = sharpness.clamp(max=-math.log(smallest_sigma))
    distance = 0.5 * ((target - mean) * sharpness.exp()).square()
    return (distance - sharpness + 0.5 * math.log(2 * math.pi)).mean()

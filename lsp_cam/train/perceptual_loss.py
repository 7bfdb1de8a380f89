"""The perceptual loss (equation 14): L1 of VGG19's features where its weights are present, of edges where not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lsp_cam.errors import ModelError, UsageError

WEIGHTS = "vgg19-*.pth"
TAPS = (1, 6, 11, 20, 29)  # layers whose output is compared, by their numbers in the published state dict
_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)  # 0: a maximum over 2 x 2
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_EDGE_GAIN = 2.0  # about the size of the loss of VGG19's features

Loss = Callable[[Tensor, Tensor], Tensor]


class Vgg19(nn.Module):
    """The first layers of VGG19 (Simonyan and Zisserman 2014), numbered as in the published state dict."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        given = 3
        for width in _WIDTHS:
            if width == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(given, width, 3, padding=1), nn.ReLU()]
            given = width
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(_DEVIATION)[:, None, None], persistent=False)
        self.requires_grad_(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Features of pictures (B, 3, H, W) RGB in -1..1 at each of `TAPS`."""
        x, tapped = ((pictures + 1) / 2 - self.mean) / self.deviation, []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in TAPS:
                tapped.append(x)
        return tapped


def perceptual_loss(weights: Path | None, device: torch.device, say: Callable[[str], None]) -> Loss:
    """The loss of two pictures (B, 3, H, W) in -1..1; from the file `weights`, or what PyTorch's cache holds.

    Where there is none it is the loss of edges, and that is said. Nothing is ever downloaded. UsageError if `weights`
    is not there, ModelError if it is no VGG19.
    """
    if weights is not None and not weights.is_file():
        raise UsageError(f"There is no file {weights}. Leave --vgg out to train without VGG19.")
    cached = sorted((Path(torch.hub.get_dir()) / "checkpoints").glob(WEIGHTS))
    path = weights or (cached[0] if cached else None)
    if path is None:
        say(
            "VGG19's weights are not here: edges at five sizes stand in for the perceptual loss. "
            f"To use it, put {WEIGHTS} (torchvision's) into PyTorch's cache, or name the file with --vgg."
        )
        return edge_pyramid
    network = _load(path).to(device)

    def loss(ours: Tensor, truth: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = network(truth)
        parts = [functional.l1_loss(a, b) for a, b in zip(network(ours), wanted, strict=True)]
        return torch.stack(parts).sum()

    return loss


def _load(path: Path) -> Vgg19:
    network = Vgg19()
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({name: state[name] for name in network.state_dict()})
    except Exception as error:  # torch raises many types for a file that is none of its own
        raise ModelError(f"{path} does not hold VGG19's weights ({type(error).__name__}). Get it again.") from error
    return network.eval()


def edge_pyramid(ours: Tensor, truth: Tensor, sizes: int = 5) -> Tensor:
    """L1 of horizontal and vertical differences of pictures (B, 3, H, W) at full, half, ... size."""
    error, total = ours - truth, ours.new_zeros(())
    for _ in range(sizes):
        total = total + error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
        error = 2 * functional.avg_pool2d(error, 2)  # twice the pixels' distance, twice the difference
    return _EDGE_GAIN * total / sizes

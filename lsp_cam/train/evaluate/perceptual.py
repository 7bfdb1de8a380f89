"""LPIPS (Zhang et al. 2018, version 0.1 on AlexNet), where its weights are present: nothing is ever downloaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lsp_cam.errors import ModelError, UsageError

BACKBONE, HEADS = "alexnet*.pth", "alex.pth"
# Channels in, channels out, side, stride, padding of AlexNet's convolutions, and their numbers in its state dict.
_LAYERS = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
_KEYS = (0, 3, 6, 8, 10)
_POOLED = (1, 2)  # layers behind a maximum over 3 x 3, every second


class Lpips:
    """A perceptual distance of two pictures; 0 for equal ones."""

    def __init__(self, backbone: dict[str, Tensor], heads: dict[str, Tensor]) -> None:
        self._layers = [nn.Conv2d(a, b, side, stride, pad) for a, b, side, stride, pad in _LAYERS]
        try:
            for layer, key in zip(self._layers, _KEYS, strict=True):
                layer.load_state_dict({name: backbone[f"features.{key}.{name}"] for name in ("weight", "bias")})
            self._heads = [heads[f"lin{k}.model.1.weight"].float() for k in range(len(_LAYERS))]
        except (KeyError, RuntimeError) as error:
            raise ModelError(f"The weights of LPIPS do not fit ({error}). Get them again, or leave them out.") from None
        self._shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
        self._scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]

    @torch.no_grad()
    def __call__(self, ours: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
        """Distance of two pictures (S, S, 3) RGB."""
        both = torch.from_numpy(np.stack([ours, truth]).transpose(0, 3, 1, 2).copy()).float() / 127.5 - 1
        x, total = (both - self._shift) / self._scale, 0.0
        for number, (layer, head) in enumerate(zip(self._layers, self._heads, strict=True)):
            if number in _POOLED:
                x = nn.functional.max_pool2d(x, 3, 2)
            x = layer(x).relu()
            unit = x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
            total += float(nn.functional.conv2d((unit[:1] - unit[1:]).square(), head).mean())
        return total


def find_lpips(folder: Path | None) -> Lpips | None:
    """LPIPS from the files of `folder`, or else from PyTorch's cache and an installed `lpips`; None if they lack.

    `alexnet*.pth` is torchvision's file, `alex.pth` the heads of the published package. UsageError if `folder` lacks
    one of them.
    """
    places = [folder] if folder is not None else _usual_places()
    found = [next((path for place in places for path in sorted(place.glob(what))), None) for what in (BACKBONE, HEADS)]
    if found[0] is None or found[1] is None:
        if folder is None:
            return None
        raise UsageError(f"{folder} needs {BACKBONE} and {HEADS} for LPIPS. Leave --lpips out to go without.")
    backbone, heads = (torch.load(path, map_location="cpu", weights_only=True) for path in found if path)
    return Lpips(backbone, heads)


def _usual_places() -> list[Path]:
    places = [Path(torch.hub.get_dir()) / "checkpoints"]
    package = find_spec("lpips")  # importing it would import torchvision
    for folder in (package.submodule_search_locations or ()) if package else ():
        places.append(Path(folder) / "weights" / "v0.1")
    return places

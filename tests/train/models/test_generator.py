"""The published generators: their keys, their sizes, and that they can be trained."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lsp_cam.train.models.render import Generator, Kind


@pytest.mark.parametrize("renderer", ["normal_ngf8", "large_ngf8", "normal_ngf64"])
def test_state_dicts_have_the_published_keys_and_shapes(renderer: str, case_a: Any) -> None:
    kind, ngf = renderer.split("_ngf")
    generator = Generator("large" if kind == "large" else "normal", int(ngf))
    found = {key: list(value.shape) for key, value in generator.state_dict().items()}
    assert found == case_a.state_dicts[f"Feature2Face_{renderer}"]


@pytest.mark.parametrize(("kind", "millions"), [("normal", 76.20384), ("large", 121.78976)])
def test_the_generators_are_as_large_as_published(kind: Kind, millions: float) -> None:
    with torch.device("meta"):
        generator = Generator(kind)
    assert sum(p.numel() for p in generator.parameters()) / 1e6 == pytest.approx(millions)


def test_every_weight_is_trained() -> None:
    torch.manual_seed(1)
    generator = Generator("large", ngf=2)
    picture = generator(torch.randn(2, 13, 512, 512))
    assert picture.shape == (2, 3, 512, 512)
    assert picture.abs().max() <= 1
    picture.square().mean().backward()
    still = [name for name, p in generator.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert still == []

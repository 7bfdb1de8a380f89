"""LPIPS with weights that a test makes; the published ones are not to be had here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.errors import ModelError, UsageError
from lsp_cam.train.evaluate.perceptual import _KEYS, _LAYERS, Lpips, find_lpips


def backbone() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    out = {}
    for (inputs, outputs, side, _, _), key in zip(_LAYERS, _KEYS, strict=True):
        out[f"features.{key}.weight"] = torch.randn(outputs, inputs, side, side) / (inputs * side * side) ** 0.5
        out[f"features.{key}.bias"] = torch.zeros(outputs)
    return out


def heads(weight: float) -> dict[str, torch.Tensor]:
    return {f"lin{k}.model.1.weight": torch.full((1, layer[1], 1, 1), weight) for k, layer in enumerate(_LAYERS)}


def test_equal_pictures_are_at_no_distance_and_worse_ones_farther() -> None:
    rng, measure = np.random.default_rng(0), Lpips(backbone(), heads(1.0))
    truth = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
    near = np.clip(truth.astype(int) + rng.integers(-9, 9, truth.shape), 0, 255).astype(np.uint8)
    assert measure(truth, truth) == 0
    assert 0 < measure(near, truth) < measure(255 - truth, truth)


def test_features_are_compared_as_directions() -> None:
    """All heads 1: each layer gives |u - v|² = 2 - 2 u·v of unit vectors, at most 2 as features are not negative."""
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 256, (64, 64, 3)).astype(np.uint8) for _ in range(2))
    assert 0 < Lpips(backbone(), heads(1.0))(a, b) < 2 * len(_LAYERS)
    assert Lpips(backbone(), heads(0.5))(a, b) == pytest.approx(0.5 * Lpips(backbone(), heads(1.0))(a, b))


def test_files_are_found_or_said_to_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    assert find_lpips(None) is None
    with pytest.raises(UsageError, match="alexnet"):
        find_lpips(tmp_path)
    torch.save(backbone(), tmp_path / "alexnet-owt.pth")
    torch.save(heads(1.0), tmp_path / "alex.pth")
    assert find_lpips(tmp_path) is not None
    torch.save({}, tmp_path / "alex.pth")
    with pytest.raises(ModelError, match="LPIPS"):
        find_lpips(tmp_path)

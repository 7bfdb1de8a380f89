"""The lite renderer: its exported file paints what the network in training paints."""

import numpy as np
import onnxruntime as ort
import pytest
import torch

from lsp_cam.train.export_lite import lite_onnx
from lsp_cam.train.halve import halved
from lsp_cam.train.models.lite import LiteRenderer, Shape
from lsp_cam.train.quality import psnr, ssim
from lsp_cam.train.render_fit import edge_loss
from lsp_cam.train.render_warm import anchor_loss

SMALL = Shape(side=128, widths=(8, 8, 8, 8, 8), top=2, bottom=14, left=4, right=12)


@pytest.fixture(scope="module")
def model() -> LiteRenderer:
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 9, 128), torch.linspace(0, 7, 128), indexing="ij")
    texture = torch.stack([torch.sin(x), torch.cos(y), torch.sin(x + y), torch.sin(x - y)]) * 0.4 + 0.5
    return LiteRenderer(SMALL, texture, torch.full((3, 128, 128), 0.3)).eval()


def _drawn() -> torch.Tensor:
    return (torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(1)) > 0.95).float()


def test_exported_file_paints_the_same(model: LiteRenderer) -> None:
    drawn = _drawn()
    with torch.no_grad():
        truth = model(drawn)[0].clamp(0, 1).numpy() * 255
    for file in (lite_onnx(model), halved(lite_onnx(model))):
        session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
        frame = session.run(None, {"map": drawn.numpy()})[0]
        levels = np.floor(np.clip((frame + 1) * 127.5, 0, 255))
        assert frame.shape == (1, 3, 128, 128)
        assert np.abs(levels - truth).mean() < 1.0  # quarter pixels, eight bits


def test_halved_file_is_about_half(model: LiteRenderer) -> None:
    file = lite_onnx(model)
    assert len(halved(file)) < 0.6 * len(file)


def test_a_shifted_flow_shifts_the_texture(model: LiteRenderer) -> None:
    flow = torch.zeros(1, 2, 8, 8)
    flow[:, 0] = 3.0
    source = model.source(flow)
    still = torch.tensor([[40.0, 50.0]])
    assert source[0, 0, 50, 37] == 40
    assert source[0, 1, 50, 37] == 50
    assert anchor_loss(source, still[None] - torch.tensor([3.0, 0.0]), still) < 1e-4
    assert anchor_loss(source, still[None], still) == pytest.approx(1.5, abs=1e-4)


def test_edges_are_judged_apart_from_level() -> None:
    picture = torch.rand(1, 3, 32, 32)
    ones = torch.ones(1, 1, 32, 32)
    assert edge_loss(picture + 0.2, picture, ones) < 1e-6
    assert edge_loss(torch.zeros_like(picture), picture, ones) > 0.1


def test_quality_measures() -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (32, 32, 3))
    assert psnr(picture + 5, picture) == pytest.approx(34.15, abs=0.01)
    assert ssim(picture, picture) == pytest.approx(1)
    assert ssim(255 - picture, picture) < 0

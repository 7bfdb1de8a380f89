"""The lite renderer: its exported file paints what the network in training paints."""

import copy

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from lsp_cam.train.export_lite import lite_onnx
from lsp_cam.train.halve import halved
from lsp_cam.train.models.lite import Box, LiteRenderer, Shape
from lsp_cam.train.quality import psnr, ssim
from lsp_cam.train.render_losses import anchor_loss, edge_loss, structure_loss

SMALL = Shape(128, Box(2, 14, 4, 12), Box(4, 7, 5, 11), (8, 8, 8, 8, 8))


@pytest.fixture(scope="module")
def model() -> LiteRenderer:
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(0, 9, 128), torch.linspace(0, 7, 128), indexing="ij")
    texture = torch.stack([torch.sin(x), torch.cos(y), torch.sin(x + y), torch.sin(x - y)]) * 0.4 + 0.5
    model = LiteRenderer(SMALL, texture, torch.full((3, 128, 128), 0.3)).eval()
    with torch.no_grad():
        model.lids.copy_(1 - model.lids)
    return model


def _drawn(seed: int = 1) -> torch.Tensor:
    return (torch.rand(1, 1, 128, 128, generator=torch.Generator().manual_seed(seed)) > 0.95).float()


def test_exported_file_paints_the_same(model: LiteRenderer) -> None:
    drawn = _drawn()
    with torch.no_grad():
        truth = model(drawn).picture.clamp(0, 1).numpy() * 255
    for file in (lite_onnx(model), halved(lite_onnx(model))):
        session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
        frame = session.run(None, {"map": drawn.numpy()})[0]
        assert (frame.shape, frame.dtype) == ((1, 3, 128, 128), np.uint8)
        error = frame.astype(float) - truth
        assert np.abs(error).mean() < 1.0  # quarter pixels, eight bits
        assert np.abs(error[:, :, 32:56, 40:88]).mean() < 1.0  # the eyes, where lids are blended in


def test_what_is_bright_all_over_stays_bright(model: LiteRenderer) -> None:
    bright = copy.deepcopy(model)
    with torch.no_grad():
        bright.texture[:, :3] = 1.0
        bright.background.fill_(1.0)
    session = ort.InferenceSession(lite_onnx(bright), providers=["CPUExecutionProvider"])
    frame = session.run(None, {"map": _drawn().numpy()})[0]
    frame[:, :, 16:112, 32:96] = 255  # the painted window
    assert frame.min() >= 253


def test_lids_close_the_eyes_and_nothing_else(model: LiteRenderer) -> None:
    shut = copy.deepcopy(model)
    with torch.no_grad():
        shut.painter.lid[-1].bias.fill_(9.0)
        shut.painter.paint.bias[48:] = -9.0
        change = (shut(_drawn()).picture - model(_drawn()).picture).abs()[0].mean(0)
        closed = shut(_drawn())
    eyes = closed.picture[0, :, 32:56, 40:88]
    assert (eyes - (1 - model.texture[0, :3, 32:56, 40:88])).abs().mean() < 0.05
    change[16:112, 32:96] = 0
    assert change.max() < 1e-6


def test_thin_paint_may_be_darker_than_black(model: LiteRenderer) -> None:
    thin = copy.deepcopy(model)
    with torch.no_grad():
        thin.painter.paint.weight.zero_()
        thin.painter.paint.bias[:48] = -2.0
        thin.painter.paint.bias[48:] = -2.5  # covers 8 %
        wanted = (255 * thin(_drawn()).picture.clamp(0, 1))[0].numpy()
    session = ort.InferenceSession(lite_onnx(thin), providers=["CPUExecutionProvider"])
    got = session.run(None, {"map": _drawn().numpy()})[0][0].astype(float)
    assert np.abs(got - wanted)[:, 16:112, 32:96].mean() < 4  # 15 levels if its colour were cut off


def test_in_eight_bits_it_paints_nearly_the_same(model: LiteRenderer) -> None:
    maps = [_drawn(seed).numpy() for seed in range(1, 5)]
    plain, small = (
        ort.InferenceSession(file, providers=["CPUExecutionProvider"])
        for file in (lite_onnx(model), halved(lite_onnx(model, maps)))
    )
    fed = {"map": _drawn(9).numpy()}
    wanted, got = (session.run(None, fed)[0].astype(float) for session in (plain, small))
    assert 0 < np.abs(got - wanted).mean() < 2
    operators = [node.op_type for node in onnx.load_from_string(lite_onnx(model, maps)).graph.node]
    assert operators.count("QuantizeLinear") > 20


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


def test_structure_is_one_minus_ssim() -> None:
    rng = np.random.default_rng(0)
    truth = cv2.GaussianBlur(rng.uniform(0, 1, (64, 64)), (0, 0), 2)
    ours = truth + 0.03 * rng.normal(size=(64, 64))
    tensors = [torch.from_numpy(x).float().expand(1, 3, 64, 64) for x in (ours, truth)]
    gray = [np.repeat(255 * x[..., None], 3, axis=2) for x in (ours, truth)]
    assert structure_loss(*tensors, stride=1).item() == pytest.approx(1 - ssim(*gray), abs=1e-3)
    assert structure_loss(tensors[1], tensors[1]).item() == pytest.approx(0, abs=1e-6)


def test_quality_measures() -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (32, 32, 3))
    assert psnr(picture + 5, picture) == pytest.approx(34.15, abs=0.01)
    assert ssim(picture, picture) == pytest.approx(1)
    assert ssim(255 - picture, picture) < 0

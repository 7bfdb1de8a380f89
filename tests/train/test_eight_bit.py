"""Networks in eight bits: what is kept of the weights, and how near they stay to those in single precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lsp_cam.train.eight_bit import BLOCK, LEVELS, from_eight_bits, in_eight_bits, in_eight_bits_by_row
from lsp_cam.train.export import mouth_onnx, pose_onnx, pose_speech_onnx, speech_onnx
from lsp_cam.train.models.mouth import MouthNet
from lsp_cam.train.models.pose import PoseNet
from lsp_cam.train.models.speech import SpeechEncoder
from tests.train.test_export import columns_in_turn, network, random, rolled

SERIES = [
    (SpeechEncoder, speech_onnx, "mel", (40, 4, 80), "features"),
    (MouthNet, mouth_onnx, "features", (40, 2, 1024), "delta"),
    (PoseNet, pose_speech_onnx, "features", (10, 2, 1024), "gates"),
]


@pytest.mark.parametrize("width", [BLOCK, 3 * BLOCK, 80])
def test_a_weight_comes_back_to_half_a_level_of_its_block(width: int) -> None:
    weight = random(6, width) * np.geomspace(1e-3, 10, 6)[:, None]
    back = from_eight_bits(*in_eight_bits(weight), width)
    for block in range(0, width, BLOCK):
        part, got = weight[:, block : block + BLOCK], back[:, block : block + BLOCK]
        half_level = np.abs(part).max(axis=1, keepdims=True) / LEVELS / 2
        assert (np.abs(got - part) <= half_level * 1.0001).all()
    assert np.abs(back - weight).max() > 0  # it does cost something


def test_rows_have_scales_of_their_own_and_nothing_is_a_weight_too() -> None:
    weight = np.concatenate([random(2, 40), np.zeros((1, 40), np.float32)])
    levels, scales = in_eight_bits_by_row(weight)
    assert levels.dtype == np.int8
    assert (np.abs(levels[:2]).max(axis=1) == LEVELS).all()
    np.testing.assert_allclose(levels * scales[:, None], weight, atol=float(np.abs(weight).max()) / LEVELS)
    assert not from_eight_bits(*in_eight_bits(weight[2:]), 40).any()


@pytest.mark.parametrize(("kind", "export", "given", "shape", "made"), SERIES)
def test_networks_stay_near_those_in_single_precision(
    kind: Any, export: Callable[..., bytes], given: str, shape: tuple[int, ...], made: str
) -> None:
    state, series = network(kind).state_dict(), random(*shape)
    exact, small = (export(state, eight_bit=eight_bit) for eight_bit in (False, True))
    wanted, got = (rolled(file, **{given: series})[made] for file in (exact, small))
    assert np.sqrt(np.mean((got - wanted) ** 2)) < 0.015 * wanted.std()
    assert len(small) < 0.3 * len(exact)


def test_the_roll_out_stays_near_too() -> None:
    state = network(PoseNet).state_dict()
    gates, history = random(80, 14, 256), random(80, 1, 12)
    wanted, got = (columns_in_turn(pose_onnx(state, eight_bit=small), gates, history) for small in (False, True))
    assert np.sqrt(np.mean((got - wanted) ** 2)) < 0.015 * wanted.std()

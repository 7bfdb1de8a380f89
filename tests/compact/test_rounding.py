"""Rounded where they lie: as long as before, fewer values, little else."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lsp_cam.compact.rounding import FEW, as_webp, in_levels, rounded_base, rounded_network
from lsp_cam.stages.pictures import decode
from lsp_cam.trust.networks import check_network


def network(**constants: np.ndarray) -> bytes:
    held = [numpy_helper.from_array(values, name) for name, values in constants.items()]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y], held)
    return bytes(helper.make_model(graph).SerializeToString())


def constant(file: bytes, name: str) -> np.ndarray:
    found = next(t for t in onnx.load_from_string(file).graph.initializer if t.name == name)
    return numpy_helper.to_array(found)


@pytest.mark.parametrize("bits", [5, 6, 7])
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_weights_take_fewer_levels_about_their_middle(bits: int, kind: type) -> None:
    info = np.iinfo(kind)
    weights = np.random.default_rng(0).integers(info.min, info.max + 1, FEW).astype(kind)
    before = network(w=weights)
    after = rounded_network(before, bits)
    check_network(after, "it")
    assert len(after) == len(before)
    rounded = constant(after, "w").astype(int)
    step = 1 << (8 - bits)
    assert len(np.unique(rounded)) <= 256 // step + 1
    assert np.abs(rounded - weights.astype(int)).max() <= step - (step == 1)
    middle = 128 if kind == np.uint8 else 0
    assert not ((rounded - middle) % step).any()  # a weight of nothing stays one


def test_all_bits_change_no_weight() -> None:
    weights = np.random.default_rng(0).integers(-128, 128, FEW).astype(np.int8)
    np.testing.assert_array_equal(constant(rounded_network(network(w=weights), 8), "w"), weights)


def test_pictures_take_levels_and_other_halves_are_shortened() -> None:
    rng = np.random.default_rng(0)
    picture = rng.uniform(0, 1, (1, 3, 64, 64)).astype(np.float16)
    halves = np.concatenate([rng.normal(0, 30, FEW), [65_504, -65_504, 0, 6e-8]]).astype(np.float16)
    single, few = rng.normal(size=FEW).astype(np.float32), halves[:100]
    made = rounded_network(network(p=picture, h=halves, s=single, f=few), 6)
    assert np.abs(constant(made, "p").astype(float) - picture).max() < 0.6 / 255
    assert len(np.unique(constant(made, "p"))) <= 256
    shorter = constant(made, "h")
    assert np.isfinite(shorter).all()
    assert (np.abs(shorter.astype(float) - halves) <= np.maximum(np.abs(halves.astype(float)) / 64, 1e-6)).all()
    assert not (shorter.view(np.uint16) & 0xF).any()
    np.testing.assert_array_equal(constant(made, "s"), single)
    np.testing.assert_array_equal(constant(made, "f"), few)


def test_whole_levels_stay_as_they_are() -> None:
    levels = np.arange(256, dtype=np.float32)
    np.testing.assert_array_equal(in_levels(levels), levels)


def test_the_feature_base_takes_less() -> None:
    base = np.clip(np.random.default_rng(0).normal(0, 0.2, (64, 512)), -1, 1).astype(np.float16)
    made = rounded_base(base)
    with np.load(io.BytesIO(made), allow_pickle=False) as arrays:
        assert np.abs(arrays["feature_base"].astype(float) - base).max() < 0.6 / 127
    assert len(made) < 0.75 * len(rounded_base_of_before(base))


def rounded_base_of_before(base: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, feature_base=base)
    return buffer.getvalue()


def test_pictures_become_webp() -> None:
    candidate = (Path(__file__).parents[2] / "subjects/demo/candidates/0.jpg").read_bytes()
    made = as_webp(candidate)
    assert len(made) < len(candidate)
    off = decode(made, 512).astype(float) - decode(candidate, 512)
    assert 10 * np.log10(255**2 / np.mean(off**2)) > 38
    with pytest.raises(ValueError, match="neither"):
        as_webp(b"no picture")

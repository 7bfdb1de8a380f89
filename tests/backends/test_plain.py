"""Networks in plain operators, and in half precision, say what they said before."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lsp_cam.backends.base import Array
from lsp_cam.backends.half import halved_arithmetic
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.backends.plain import has_fixed_shapes, plain
from lsp_cam.packets import LandmarkFrame
from lsp_cam.stages.featuremap import FeatureMapStage
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from lsp_cam.train.graph import Graph

MOTION = ("speech.onnx", "mouth.onnx", "pose_speech.onnx", "pose.onnx")


@pytest.fixture(scope="module")
def demo() -> Subject:
    return Store().get("demo")


def answers(file: bytes, feeds: dict[str, Array]) -> dict[str, Array]:
    return OrtEngine(1).load(file, "test").run(feeds)


def noise(file: bytes) -> dict[str, Array]:
    random = np.random.default_rng(0)
    inputs = OrtEngine(1).load(file, "test").inputs
    return {name: random.normal(0, 0.5, spec.shape).astype(spec.dtype) for name, spec in inputs.items()}


def face(subject: Subject) -> dict[str, Array]:
    """The map of a face in the middle of the picture, as the renderer takes it."""
    stage, points = FeatureMapStage.from_subject(subject), subject.arrays("face.npz", rest_points=(73, 3))
    side = stage.config.size
    flat = points["rest_points"][:, :2]
    spread = (flat - flat.mean(0)) / np.abs(flat - flat.mean(0)).max() * (1, -1)
    shoulders = np.stack([np.linspace(60, side - 60, 18), np.full(18, side - 60)], 1)
    drawn = stage.draw(
        LandmarkFrame(0, (spread * side / 5 + side / 2).astype(np.float32), shoulders.astype(np.float32))
    )
    return {"map": (drawn.pixels / 255).astype(np.float32)[None, None]}


@pytest.mark.parametrize("name", MOTION)
def test_motion_networks_say_the_same_in_plain_operators(demo: Subject, name: str) -> None:
    file = demo.read(name)
    made = plain(file)
    model = onnx.load_from_string(made)
    onnx.checker.check_model(model, full_check=True)
    operators = Counter((node.domain, node.op_type) for node in model.graph.node)
    assert {domain for domain, _ in operators} == {""}
    assert ("", "Scan") not in operators
    feeds = noise(file)
    before, after = answers(file, feeds), answers(made, feeds)
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert np.sqrt(np.square(after[key] - value).mean()) < 0.02 * value.std(), key


def test_the_renderer_says_the_same_in_floats_and_in_half_precision(demo: Subject) -> None:
    file = demo.read("render.onnx")
    made = plain(file)
    half = halved_arithmetic(made)
    operators = Counter(node.op_type for node in onnx.load_from_string(made).graph.node)
    assert not {"QuantizeLinear", "DequantizeLinear"} & operators.keys()
    kinds = {c.data_type for c in onnx.load_from_string(half).graph.initializer}
    assert TensorProto.FLOAT16 in kinds
    assert not kinds & {TensorProto.UINT8, TensorProto.INT8}
    feeds = face(demo)
    before, after = (answers(one, feeds)["frame"] for one in (file, half))
    assert before.dtype == after.dtype == np.uint8
    assert before.shape == after.shape == (1, 3, 512, 512)
    assert before.std() > 20
    assert np.abs(before.astype(np.float64) - after).mean() < 0.5


def test_half_precision_only_where_a_convolution_begins_it() -> None:
    graph = Graph()
    kernel = np.random.default_rng(0).normal(size=(3, 1, 3, 3))
    y = graph.leaky(graph.node("Conv", "x", graph.constant(kernel), kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
    big = graph.node("Mul", graph.node("Add", y, "x"), graph.constant(np.float32(1e6)))
    graph.node("Identity", big, to="far")
    graph.node("Relu", y, to="near")
    file = graph.finish("test", {"x": (1, 1, 8, 8)}, {"far": (1, 3, 8, 8), "near": (1, 3, 8, 8)})
    feeds = noise(file)
    before, after = answers(file, feeds), answers(halved_arithmetic(file), feeds)
    for name, value in before.items():
        assert after[name].dtype == np.float32
        assert np.isfinite(after[name]).all()
        assert np.abs(after[name] - value).max() < 0.01 * np.abs(value).max()
    assert np.abs(after["near"] - before["near"]).max() > 0


def test_shapes_that_are_not_fixed_are_told() -> None:
    def file(shape: list[int | str]) -> bytes:
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
        made = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "test", [given], [made])
        return bytes(helper.make_model(graph).SerializeToString())

    assert has_fixed_shapes(file([1, 2]))
    assert not has_fixed_shapes(file(["n", 2]))

"""TensorRT: every network that we export compiles without a card; how engines are kept and run, on a card made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.backends.ort import OrtEngine
from lsp_cam.backends.plans import Maker, Plans
from lsp_cam.backends.trt import ANY_DEVICE, Library, TensorRtEngine, built
from lsp_cam.errors import ModelError
from lsp_cam.store import Store
from lsp_cam.train.export_render import render_onnx
from lsp_cam.train.graph import Graph
from lsp_cam.train.models.render import Generator
from lsp_cam.web.host import COMPILER, telling
from tests.backends.card import NO_DRIVER, FakeLibrary, card

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(scope="module")
def rtx() -> Library:
    return Library("tensorrt-rtx")


@pytest.fixture
def plans(tmp_path: Path) -> Plans:
    return Plans(tmp_path / "engines")


def network() -> bytes:
    graph = Graph()
    graph.node("Add", "x", "held", to="y")
    return graph.finish("test", {"x": (2, 3), "held": (2, 3)}, {"y": (2, 3)})


@pytest.mark.parametrize("name", ["speech", "mouth", "pose_speech", "pose", "render"])
def test_the_shipped_subject_compiles_for_rtx_without_a_card(rtx: Library, name: str) -> None:
    demo = Store().get("demo")
    assert len(rtx.build(demo.read(f"{name}.onnx"), name)) > 1_000_000


def test_the_shipped_subject_has_no_other_networks() -> None:
    files = {file for file in Store().get("demo").manifest.files if file.endswith(".onnx")}
    assert files == {f"{name}.onnx" for name in ("speech", "mouth", "pose_speech", "pose", "render")}


@pytest.mark.timeout(900)  # it copies a gigabyte and more, and others may use the machine
def test_the_paper_size_renderer_compiles_for_rtx_without_a_card(rtx: Library) -> None:
    """All of its levels at full width; its weights are random, and its time goes into copying them."""
    with torch.no_grad():
        weights = Generator("normal", 64).state_dict()
    files = render_onnx(weights, "normal", 64, 512)
    plan = rtx.build(files["render.onnx"], "render")
    assert len(plan) < 0.6 * len(files["render.onnx"])  # in half precision
    assert rtx.build(files["render_constants.onnx"], "constants")


def test_what_it_cannot_compile_is_said(rtx: Library) -> None:
    with pytest.raises(ModelError, match=r"cannot compile the odd network.*onnxruntime"):
        rtx.build(_unchecked(), "odd")


def _unchecked() -> bytes:
    from onnx import TensorProto, helper

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 3)) for name in "xy"]
    node = helper.make_node("NoSuchOperator", ["x"], ["y"])
    graph = helper.make_graph([node], "test", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return bytes(model.SerializeToString())


def test_an_engine_is_built_once(plans: Plans) -> None:
    library = FakeLibrary("tensorrt-rtx", card()[1], [])
    assert built(library, plans, "card", b"network", "test") == b"plan 1"
    assert built(library, plans, "card", b"network", "test") == b"plan 1"
    assert built(library, plans, "card", b"another", "test") == b"plan 2"
    assert plans.get(b"network", Maker("tensorrt-rtx", "1.0", ANY_DEVICE)) == b"plan 1"


def test_whoever_waits_for_the_daemon_is_told_what_takes_so_long(
    plans: Plans, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    told: list[str] = []
    for _ in range(2):
        with telling(COMPILER, told.append):
            built(FakeLibrary("tensorrt", card()[1], []), plans, "card", b"network", "demo/render.onnx")
    assert told == ["Compiling demo/render.onnx for this machine by tensorrt. Next time it is there."]


def test_engines_of_tensorrt_belong_to_a_card(plans: Plans) -> None:
    library = FakeLibrary("tensorrt", card()[1], [])
    assert built(library, plans, "one card", b"network", "test") == b"plan 1"
    assert built(library, plans, "another card", b"network", "test") == b"plan 2"


def test_an_engine_that_does_not_load_is_built_again(plans: Plans) -> None:
    cuda, runtime = card()
    library = FakeLibrary("tensorrt-rtx", runtime, [True, False, True, False, False])
    engine = TensorRtEngine(library, cuda, plans, OrtEngine(1))
    engine.load(network(), "test")
    engine.load(network(), "test")
    assert library.builds == 2
    with pytest.raises(ModelError, match="cannot run test on A card"):
        engine.load(network(), "test")


@pytest.mark.parametrize("name", ["tensorrt", "tensorrt-rtx"])
def test_a_model_runs_on_the_card(plans: Plans, name: str) -> None:
    cuda, runtime = card()
    library = FakeLibrary(name, runtime, [True])
    model = TensorRtEngine(library, cuda, plans, OrtEngine(1)).load(network(), "test")
    assert set(model.inputs) == {"x", "held"}
    assert model.outputs["y"].shape == (2, 3)
    model.hold({"held": np.full((2, 3), 10, np.float32)})
    first = model.run({"x": X})["y"]
    runtime.calls.clear()
    second = model.run({"x": X + 1})["y"]
    np.testing.assert_array_equal(first, 2 * X + 10)
    np.testing.assert_array_equal(second, 2 * X + 12)
    assert runtime.calls.count("cudaMemcpyAsync") == 2  # one in, one out: what is held stays on the card
    assert ("cudaGraphLaunch" in runtime.calls) == (name == "tensorrt")
    assert library.engines[0].runs == 2


def test_memory_of_the_card_is_given_back(plans: Plans) -> None:
    cuda, runtime = card()
    model = TensorRtEngine(FakeLibrary("tensorrt", runtime, [True]), cuda, plans, OrtEngine(1)).load(network(), "test")
    del model
    assert runtime.calls.count("cudaFree") == runtime.calls.count("cudaMalloc") == 3


def test_what_does_not_fit_is_refused_before_the_card_gets_it(plans: Plans) -> None:
    cuda, runtime = card()
    model = TensorRtEngine(FakeLibrary("tensorrt", runtime, [True]), cuda, plans, OrtEngine(1)).load(network(), "test")
    for feeds in ({"x": X[:1]}, {"z": X}):
        with pytest.raises(ModelError, match="takes no"):
            model.run(feeds)


def test_a_card_that_fails_is_told() -> None:
    with pytest.raises(ModelError, match="driver"):
        card(NO_DRIVER)

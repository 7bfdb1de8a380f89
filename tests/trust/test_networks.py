"""Networks of strangers: what our exporters write gets through, anything else does not, and no byte is believed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from lsp_cam.errors import BundleError
from lsp_cam.subject import Subject, write_bundle
from lsp_cam.train.export_lite import lite_onnx
from lsp_cam.train.halve import halved
from lsp_cam.train.models.lite import Box, LiteRenderer, Shape
from lsp_cam.train.quantise import quantised
from lsp_cam.trust.networks import MAX_NODES, check_network
from tests.bundles import manifest_fields
from tests.sketch import line_renderer

GOOD = line_renderer(32)
Edit = Callable[[onnx.ModelProto], Any]


def edited(change: Edit) -> bytes:
    model = onnx.load_from_string(GOOD)
    change(model)
    return bytes(model.SerializeToString())


def refusal(data: bytes) -> str:
    with pytest.raises(BundleError) as caught:
        check_network(data, "x: render.onnx")
    return str(caught.value)


def test_what_is_imported_and_what_ships_gets_through(reference_bundle: Any) -> None:
    demo = Subject.open(Path(__file__).resolve().parents[2] / "subjects/demo")
    for subject in (reference_bundle("case_a"), reference_bundle("case_b"), demo):
        for path in subject.manifest.files:
            if path.endswith(".onnx"):
                check_network(subject.read(path), path)


def test_what_the_lite_exporter_writes_gets_through() -> None:
    torch.manual_seed(0)
    shape = Shape(128, Box(2, 14, 4, 12), Box(4, 7, 5, 11), (8, 8, 8, 8, 8))
    file = lite_onnx(LiteRenderer(shape, torch.rand(4, 128, 128), torch.full((3, 128, 128), 0.3)).eval())
    maps = [torch.rand(1, 1, 128, 128).numpy()]
    for made in (file, halved(file), quantised(file, maps)):
        check_network(made, "render.onnx")


def branch(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "then", [], [])
    model.graph.node[0].CopyFrom(helper.make_node("If", ["map"], ["y"], then_branch=body, else_branch=body))


def loop(model: onnx.ModelProto) -> None:
    inner = helper.make_node("Scan", ["a"], ["b"], body=helper.make_graph([], "inner", [], []), num_scan_inputs=1)
    body = helper.make_graph([inner], "outer", [], [])
    model.graph.node[0].CopyFrom(helper.make_node("Scan", ["map"], ["y"], body=body, num_scan_inputs=1))


def outside(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("float_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def hollow(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    weight.ClearField("float_data")
    weight.dims[:] = [5000, 5000]
    weight.raw_data = b"1234"


def empty_but_large(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[:] = [100_000]


def side(model: onnx.ModelProto, value: int) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = value


def free(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "batch"


def code(model: onnx.ModelProto) -> None:
    body = [helper.make_node("Add", ["a", "a"], ["b"])]
    model.functions.append(helper.make_function("", "Mul", ["a"], ["b"], body, [helper.make_opsetid("", 17)]))


REFUSED: dict[str, tuple[Edit, str]] = {
    "an operator that nobody needs": (lambda m: setattr(m.graph.node[0], "op_type", "NonZero"), "'NonZero'"),
    "one of another domain": (lambda m: setattr(m.graph.node[0], "domain", "evil"), "'evil.Mul'"),
    "one of the runtime's own": (lambda m: setattr(m.graph.node[0], "domain", "com.microsoft"), "com.microsoft.Mul"),
    "a domain that is only announced": (lambda m: m.opset_import.add(domain="ai.onnx.ml", version=3), "ai.onnx.ml"),
    "a branch": (branch, "'If'"),
    "a loop in a loop": (loop, "branch"),
    "weights in a file outside": (outside, "outside the file"),
    "a location alone": (lambda m: setattr(m.graph.initializer[0], "data_location", 1), "outside the file"),
    "a constant that claims more than it holds": (hollow, "another size"),
    "a constant that the runtime would fill up": (empty_but_large, "another size"),
    "a constant of strings": (lambda m: setattr(m.graph.initializer[0], "data_type", 8), "no array of numbers"),
    "an absurd input": (lambda m: side(m, 1 << 40), "absurd size"),
    "a negative side": (lambda m: side(m, -1), "absurd size"),
    "a side that is not fixed": (free, "not fixed"),
    "functions": (code, "field 25"),
    "training": (lambda m: m.training_info.add(), "field 20"),
    "sparse weights": (lambda m: m.graph.sparse_initializer.add(), "field 15"),
    "operations without end": (lambda m: m.graph.node.extend([m.graph.node[0]] * MAX_NODES), "operations"),
    "a name without end": (lambda m: setattr(m.graph.node[0], "name", "x" * 1000), "no ONNX file"),
    "no graph": (lambda m: m.ClearField("graph"), "no graph"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_networks_of_strangers(case: str) -> None:
    change, words = REFUSED[case]
    assert words in refusal(edited(change))


@pytest.mark.parametrize("data", [b"", b"no network", b"\x08", b"\x0b\x0c", b"\xff" * 40, b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_no_network(data: bytes) -> None:
    assert "no ONNX file" in refusal(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_bytes_are_passed_or_refused(data: st.DataObject) -> None:
    """Bytes changed, cut or repeated anywhere: an answer, never another error."""
    raw = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for attempt in (bytes(raw), bytes(raw[:cut]), bytes(raw[:cut] + raw)):
        with suppress(BundleError):
            check_network(attempt, "x")


def test_a_bundle_is_refused_before_an_engine_sees_it(tmp_path: Path) -> None:
    subject = write_bundle(tmp_path / "odd", manifest_fields("odd"), {"render.onnx": edited(outside)})
    for act in (subject.verify, lambda: subject.read("render.onnx")):
        with pytest.raises(BundleError, match=r"odd: render.onnx is not accepted: it keeps weights outside"):
            act()


DOUBLING = """
import sys
from onnx import TensorProto, helper
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.errors import LspCamError
from lsp_cam.trust.limits import limit_memory
from lsp_cam.trust.networks import check_network
import numpy as np
nodes = [helper.make_node("Concat", [f"x{i}", f"x{i}"], [f"x{i + 1}"], axis=0) for i in range(26)]
nodes.append(helper.make_node("Slice", ["x26", "a", "b"], ["y"]))
graph = helper.make_graph(nodes, "g",
    [helper.make_tensor_value_info("x0", TensorProto.FLOAT, (1024,))],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1,))],
    [helper.make_tensor(n, TensorProto.INT64, (1,), [v]) for n, v in (("a", 0), ("b", 1))])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
data = model.SerializeToString()
check_network(data, "bomb")
limit_memory(1 << 30)
try:
    OrtEngine(threads=1).load(data, "bomb").run({"x0": np.zeros(1024, np.float32)})
except LspCamError as error:
    print("refused:", type(error).__name__)
"""


def test_a_network_that_would_take_all_memory_fails_alone() -> None:
    """256 GiB out of 4 KiB, by operators that are all allowed."""
    done = subprocess.run([sys.executable, "-c", DOUBLING], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "refused: ModelError", done.stderr

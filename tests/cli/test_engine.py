"""`lsp-cam engine`: on a machine without a graphics card, as the tests' is taken to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lsp_cam.backends import choose, probe
from lsp_cam.backends.providers import PROVIDERS
from lsp_cam.subject import Subject, write_bundle
from lsp_cam.train.graph import Graph
from tests.bundles import manifest_fields
from tests.cli.conftest import Invoke


@pytest.fixture
def subject(home: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """A subject of one small network, and no driver."""
    for module in (choose, probe):
        monkeypatch.setattr(module, "has_driver", lambda: False)
    graph = Graph()
    graph.node("Relu", "x", to="y")
    file = graph.finish("small", {"x": (2, 3)}, {"y": (2, 3)})
    return write_bundle(home / "subjects" / "tiny", manifest_fields("tiny"), {"pose.onnx": file})


@pytest.mark.usefixtures("subject")
def test_an_engine_is_built_listed_and_cleaned(invoke: Invoke, home: Path) -> None:
    built = invoke("engine", "build", "--subject", "tiny")
    assert built.exit_code == 0, built.output
    assert "tiny/pose.onnx" in built.output
    (file,) = (home / "engines").iterdir()
    listed = json.loads(invoke("engine", "list", "--json").output)
    assert [kept["file"] for kept in listed["kept"]] == [file.name]
    assert {engine["name"]: engine["usable"] for engine in listed["engines"]} == dict.fromkeys(
        ("tensorrt-rtx", "tensorrt", *PROVIDERS), False
    )
    assert file.name in invoke("engine", "list").output
    assert "1 compiled networks deleted" in invoke("engine", "clean").output
    assert not list((home / "engines").iterdir())


@pytest.mark.usefixtures("subject")
def test_bench_times_each_network(invoke: Invoke) -> None:
    (row,) = json.loads(invoke("engine", "bench", "--subject", "tiny", "--json").output)
    assert (row["network"], row["engine"]) == ("tiny/pose.onnx", "onnxruntime")
    assert row["ms"] > 0
    assert "tiny/pose.onnx" in invoke("engine", "bench", "--subject", "tiny").output


@pytest.mark.usefixtures("subject")
def test_what_cannot_be_built_is_refused(invoke: Invoke) -> None:
    assert invoke("engine", "build", "--engine", "onnxruntime").exit_code == 2
    result = invoke("engine", "build", "--engine", "tensorrt", "--subject", "tiny")
    assert result.exit_code == 1

"""ONNX Runtime's providers: how each is opened, asked in a child, refused where the build lacks it, measured by `auto`.

None of them but the processor's runs where the tests do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from lsp_cam.backends import choose, probe
from lsp_cam.backends.auto import AutoEngine
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.backends.probe import DOUBLE, Found, look_provider
from lsp_cam.backends.providers import PROVIDERS
from lsp_cam.errors import ModelError

NETWORK = bytes.fromhex(DOUBLE)


def test_the_probe_is_a_network_that_doubles() -> None:
    got = OrtEngine(1).load(NETWORK, "probe").run({"x": np.array([1, 2], np.float32)})
    assert got["y"].tolist() == [2.0, 4.0]


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_comes_first_with_options_of_text_and_the_processor_after_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}
    real = ort.InferenceSession

    class Opened:
        def __init__(self, onnx: bytes, options: Any, providers: list[Any]) -> None:
            asked.update(options=options, providers=providers)
            self._session = real(onnx, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return [asked["providers"][0][0], "CPUExecutionProvider"]

        def __getattr__(self, what: str) -> Any:
            return getattr(self._session, what)

    monkeypatch.setattr(ort, "InferenceSession", Opened)
    engine = OrtEngine(2, provider=name, folder=tmp_path)
    assert engine.name == name
    assert engine.load(NETWORK, "test", threads=3).run({"x": np.ones(2, np.float32)})["y"].tolist() == [2.0, 2.0]
    (first, options), last = asked["providers"]
    assert (first, last) == (PROVIDERS[name].ort, "CPUExecutionProvider")
    assert all(isinstance(part, str) for pair in options.items() for part in pair)
    assert options.get("num_of_threads", "3") == "3"
    assert options.get("trt_engine_cache_path", str(tmp_path)) == str(tmp_path)
    assert asked["options"].enable_mem_pattern == (name != "onnxruntime-directml")


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_that_the_build_lacks_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe.subprocess, "run", lambda *a, **k: pytest.fail("a child was started"))
    if PROVIDERS[name].ort in ort.get_available_providers():
        monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    found = look_provider(name)
    assert not found.usable
    assert PROVIDERS[name].package in found.why
    with pytest.raises(ModelError, match="does not run here"):
        choose.open_engine(name)


def test_a_session_that_falls_back_to_the_processor_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    real = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", lambda n, o, providers: real(n, o, providers=[providers[-1]]))
    with pytest.raises(ModelError, match="does not start here"):
        OrtEngine(1, provider="onnxruntime-openvino").load(NETWORK, "test")


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build that says that it has all providers, as one does where a driver is missing."""
    monkeypatch.setattr(ort, "get_available_providers", lambda: [p.ort for p in PROVIDERS.values()])


@pytest.mark.usefixtures("listed")
def test_a_provider_is_asked_in_a_child() -> None:
    found = look_provider("onnxruntime-openvino", "import os; os.abort()")
    assert not found.usable
    assert "ends the process" in found.why
    said = look_provider("onnxruntime-cuda", """print('{"version": "1.9", "device": "a card"}')""")
    assert (said.usable, said.version, said.device) == (True, "1.9", "a card")


@pytest.mark.usefixtures("listed")
def test_a_listed_provider_that_does_not_start_is_told_by_the_real_child() -> None:
    """The child's own build has the processor alone."""
    found = look_provider("onnxruntime-coreml")
    assert not found.usable
    assert "does not" in found.why


def test_auto_measures_what_works_without_any_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(choose, "has_driver", lambda: False)
    monkeypatch.setattr(choose, "memory", lambda: choose.Memory(tmp_path / "engines.json"))
    working = Found("onnxruntime-openvino", True, "1.9", "OpenVINOExecutionProvider")
    monkeypatch.setattr(choose, "look_provider", lambda n: working if n == working.name else Found(n, False))
    real = ort.InferenceSession

    class Opened:
        def __init__(self, onnx: bytes, options: Any, providers: list[Any]) -> None:
            self._first = providers[0] if isinstance(providers[0], str) else providers[0][0]
            self._session = real(onnx, options, providers=["CPUExecutionProvider"])

        def get_providers(self) -> list[str]:
            return [self._first]

        def __getattr__(self, what: str) -> Any:
            return getattr(self._session, what)

    monkeypatch.setattr(ort, "InferenceSession", Opened)
    engine = choose.open_engine("auto", 1)
    assert isinstance(engine, AutoEngine)
    assert engine.load(NETWORK, "test").run({"x": np.ones(2, np.float32)})["y"].tolist() == [2.0, 2.0]
    assert engine.name in ("onnxruntime", working.name)
    remembered = (tmp_path / "engines.json").read_text()
    assert "OpenVINOExecutionProvider" in remembered

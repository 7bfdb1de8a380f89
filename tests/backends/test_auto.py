"""`auto` takes the fastest engine for each network, once, and never depends on what it remembers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.backends.auto import AutoEngine, Memory
from lsp_cam.backends.base import ANY, Array, Model, TensorSpec
from lsp_cam.errors import ModelError


class FakeModel:
    def __init__(self, engine: FakeEngine, shape: tuple[int, ...]) -> None:
        self.engine = engine
        self.inputs = {"x": TensorSpec(shape, np.dtype(np.float32))}
        self.outputs = self.inputs
        self.runs = 0

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        self.runs += 1
        time.sleep(self.engine.seconds)
        return dict(feeds)

    def hold(self, constants: Mapping[str, Array]) -> None:
        raise AssertionError("nobody holds anything here")


class FakeEngine:
    threads = 2

    def __init__(self, name: str, seconds: float, refuses: bool = False, shape: tuple[int, ...] = (2,)) -> None:
        self.name = name
        self.seconds = seconds
        self.refuses = refuses
        self.shape = shape
        self.loaded: list[FakeModel] = []

    def load(self, onnx: bytes, name: str, threads: int | None = None) -> Model:
        if self.refuses:
            raise ModelError(f"{self.name} cannot")
        self.loaded.append(FakeModel(self, self.shape))
        return self.loaded[-1]


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "state" / "engines.json")


def engine_of(model: Model) -> str:
    assert isinstance(model, FakeModel)
    return model.engine.name


def test_the_fastest_is_taken_and_remembered(memory: Memory) -> None:
    slow, fast = FakeEngine("slow", 0.03), FakeEngine("fast", 0.0)
    auto = AutoEngine([slow, fast], memory, "machine")
    assert auto.name == "auto"
    assert engine_of(auto.load(b"network", "test")) == "fast"
    assert auto.name == "fast"
    again = AutoEngine([FakeEngine("slow", 0.03), later := FakeEngine("fast", 0.0)], memory, "machine")
    assert engine_of(again.load(b"network", "test")) == "fast"
    assert later.loaded[0].runs == 0  # it was not measured again


def test_another_machine_network_or_number_of_threads_is_measured_anew(memory: Memory) -> None:
    slow, fast = FakeEngine("slow", 0.03), FakeEngine("fast", 0.0)
    AutoEngine([slow, fast], memory, "machine").load(b"network", "test")
    for machine, network, threads in (("other", b"network", 2), ("machine", b"other", 2), ("machine", b"network", 1)):
        fast.loaded.clear()
        AutoEngine([slow, fast], memory, machine).load(network, "test", threads)
        assert fast.loaded[0].runs > 0


def test_an_engine_that_cannot_is_passed_over_even_if_it_is_remembered(memory: Memory) -> None:
    first, fast = FakeEngine("first", 0.02), FakeEngine("fast", 0.0)
    AutoEngine([first, fast], memory, "machine").load(b"network", "test")
    fast.refuses = True
    assert engine_of(AutoEngine([first, fast], memory, "machine").load(b"network", "test")) == "first"
    first.refuses = True
    with pytest.raises(ModelError, match="first cannot"):
        AutoEngine([first, fast], memory, "machine").load(b"network", "test")


def test_a_network_of_free_shapes_is_left_to_the_first(memory: Memory) -> None:
    first, fast = FakeEngine("first", 0.02, shape=(ANY, 2)), FakeEngine("fast", 0.0)
    assert engine_of(AutoEngine([first, fast], memory, "machine").load(b"network", "test")) == "first"
    assert not fast.loaded


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key": 3}', b"[" * 100_000, b"\xff\xfe"])
def test_a_damaged_memory_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "engines.json"
    file.write_bytes(content)
    memory = Memory(file)
    assert memory.get("key") is None
    memory.put("key", "fast")
    assert memory.get("key") == "fast"
    memory.clear()
    assert memory.get("key") is None


def test_a_memory_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    memory = Memory(tmp_path / "state" / "engines.json")
    memory.put("key", "fast")
    assert memory.get("key") is None

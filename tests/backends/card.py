"""A graphics card made of this machine's memory, and a library whose engines double what they get."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np

from lsp_cam.backends.cuda import Cuda
from lsp_cam.backends.trt import Library

NO_DRIVER = 35


class Runtime:
    """What `Cuda` takes for `cuda.bindings.runtime`; it notes the names of all calls."""

    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)

    def __init__(self, error: int = 0) -> None:
        self.error = error
        self.calls: list[str] = []
        self.memory: dict[int, Any] = {}
        self.capturing = False
        self.captured: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            return (self.error, *getattr(self, f"_{name}", lambda *a: ())(*arguments))

        if not name.startswith("cuda"):
            raise AttributeError(name)
        return call

    def _cudaGetDeviceCount(self) -> tuple[int]:
        return (1,)

    def _cudaGetDeviceProperties(self, number: int) -> tuple[Any]:
        return (SimpleNamespace(name=b"A card", major=8, minor=9),)

    def _cudaStreamCreate(self) -> tuple[int]:
        return (7,)

    def _cudaMalloc(self, size: int) -> tuple[int]:
        buffer = ctypes.create_string_buffer(size)
        self.memory[ctypes.addressof(buffer)] = buffer
        return (ctypes.addressof(buffer),)

    def _cudaMemcpyAsync(self, to: int, source: int, size: int, kind: int, stream: int) -> tuple[()]:
        ctypes.memmove(to, source, size)
        return ()

    def _cudaStreamBeginCapture(self, stream: int, mode: int) -> tuple[()]:
        self.capturing = True
        return ()

    def _cudaStreamEndCapture(self, stream: int) -> tuple[str]:
        self.capturing = False
        return ("graph",)

    def _cudaGraphInstantiate(self, graph: str, flags: int) -> tuple[str]:
        return ("ready",)

    def _cudaGraphLaunch(self, graph: str, stream: int) -> tuple[()]:
        for work in self.captured:
            work()
        return ()


class FakeEngine:
    """`y` (2, 3) = 2 `x` + `held`."""

    names = ("x", "held", "y")
    num_io_tensors = 3

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.at: dict[str, int] = {}
        self.runs = 0

    def get_tensor_name(self, place: int) -> str:
        return self.names[place]

    def get_tensor_shape(self, name: str) -> tuple[int, int]:
        return (2, 3)

    def get_tensor_dtype(self, name: str) -> Any:
        return np.float32

    def get_tensor_mode(self, name: str) -> str:
        return "out" if name == "y" else "in"

    def create_execution_context(self, config: Any = None) -> FakeEngine:
        return self

    def create_runtime_config(self) -> Any:
        return SimpleNamespace()

    def set_tensor_address(self, name: str, pointer: int) -> None:
        self.at[name] = pointer

    def execute_async_v3(self, stream: int) -> bool:
        if self.runtime.capturing:
            self.runtime.captured.append(self.work)
        else:
            self.work()
        return True

    def work(self) -> None:
        self.runs += 1
        x, held, y = (np.ctypeslib.as_array((ctypes.c_float * 6).from_address(self.at[n])) for n in self.names)
        y[:] = 2 * x + held


class FakeLibrary(Library):
    """Builds anything; `opens` tells for each plan in turn whether it loads."""

    def __init__(self, name: str, runtime: Runtime, opens: list[bool]) -> None:
        self.name, self.version = name, "1.0"
        self.trt = SimpleNamespace(
            nptype=lambda kind: kind,
            TensorIOMode=SimpleNamespace(INPUT="in"),
            CudaGraphStrategy=SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole"),
        )
        self.runtime = runtime
        self.opens = opens
        self.builds = 0
        self.engines: list[FakeEngine] = []

    def build(self, onnx: bytes, name: str) -> bytes:
        self.builds += 1
        return b"plan %d" % self.builds

    def open(self, plan: bytes) -> Any:
        if not self.opens.pop(0):
            return None
        self.engines.append(FakeEngine(self.runtime))
        return self.engines[-1]


def card(error: int = 0) -> tuple[Cuda, Runtime]:
    """The card, and what it is made of."""
    runtime = Runtime(error)
    return Cuda(runtime), runtime

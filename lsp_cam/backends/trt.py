"""TensorRT and TensorRT for RTX: networks compiled for NVIDIA's graphics cards.

Shapes are static, convolutions compute in float16, constants are uploaded once, and a run is one CUDA graph. Compiling
by TensorRT for RTX needs no card: its engines finish on whichever card loads them.
"""

from __future__ import annotations

import importlib
import logging
import weakref
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from ..errors import MissingExtra, ModelError
from .base import Array, Engine, Model, TensorSpec
from .cuda import Cuda, has_driver, nbytes
from .plans import Maker, Plans
from .probe import how_to_get

LOG = logging.getLogger(__name__)
MODULES = {"tensorrt-rtx": "tensorrt_rtx", "tensorrt": "tensorrt"}
ANY_DEVICE = "any"
BUILT_HERE = "tensorrt-rtx"  # compiles without a card


class Library:
    """One of the two, loaded; `loggers` keeps the one that it holds on to for good."""

    loggers: ClassVar[dict[str, Any]] = {}  # the libraries themselves keep the first logger of the process

    def __init__(self, name: str) -> None:
        """Raises MissingExtra if it is not installed, ModelError if it would crash for want of a driver."""
        self.name = name
        if find_spec(MODULES[name]) is None or find_spec("onnx") is None:
            raise MissingExtra(f"{name} is not installed. Install it: {how_to_get(name)}")
        if name != BUILT_HERE and not has_driver():
            raise ModelError(f"{name} needs NVIDIA's driver, which is not here. Choose --engine onnxruntime.")
        self.trt = importlib.import_module(MODULES[name])
        self.version = str(self.trt.__version__)
        if name not in self.loggers:
            self.loggers[name] = self.trt.Logger(self.trt.Logger.ERROR)
        self.logger = self.loggers[name]

    def build(self, onnx: bytes, name: str) -> bytes:
        """The engine of an ONNX file. Raises ModelError if an operator is foreign to the library."""
        from .half import halved_arithmetic
        from .plain import plain

        trt = self.trt
        builder = trt.Builder(self.logger)
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, self.logger)
        if not parser.parse(halved_arithmetic(plain(onnx))):
            found = parser.get_error(0).desc() if parser.num_errors else "no reason given"
            raise ModelError(f"{self.name} cannot compile the {name} network: {found}. Choose --engine onnxruntime.")
        plan = builder.build_serialized_network(network, builder.create_builder_config())
        if plan is None:
            raise ModelError(f"{self.name} failed to compile the {name} network. Choose --engine onnxruntime.")
        return bytes(plan)

    def open(self, plan: bytes) -> Any:
        """The engine in a plan; None if this machine cannot load it."""
        return self.trt.Runtime(self.logger).deserialize_cuda_engine(plan)

    def context(self, engine: Any) -> Any:
        """What runs an engine; that of TensorRT for RTX makes CUDA graphs by itself."""
        if self.name != BUILT_HERE:
            return engine.create_execution_context()
        config = engine.create_runtime_config()
        config.cuda_graph_strategy = self.trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return engine.create_execution_context(config)


def built(library: Library, plans: Plans, device: str, onnx: bytes, name: str, *, again: bool = False) -> bytes:
    """The engine of an ONNX file from `plans`, made first if it is not there (or `again`)."""
    maker = Maker(library.name, library.version, ANY_DEVICE if library.name == BUILT_HERE else device)
    plan = None if again else plans.get(onnx, maker)
    if plan is None:
        LOG.info("Compiling %s for this machine by %s. Next time it is there.", name, library.name)
        plan = library.build(onnx, name)
        plans.put(onnx, maker, plan)
    return plan


class TensorRtEngine:
    """Loads networks onto the first card; engines are kept in `plans`.

    beside: the engine for networks whose shapes are not fixed (the voice detector, which is no subject's).
    """

    def __init__(
        self,
        library: Library,
        cuda: Cuda,
        plans: Plans,
        beside: Engine,
    ) -> None:
        self.name = library.name
        self.threads = beside.threads
        self._beside = beside
        self._library = library
        self._cuda = cuda
        self._plans = plans
        self._device = cuda.device()

    def load(self, onnx: bytes, name: str, threads: int | None = None) -> Model:
        from .plain import has_fixed_shapes

        if not has_fixed_shapes(onnx):
            return self._beside.load(onnx, name, threads)
        for again in (False, True):  # an engine that was kept and does not load is stale: made once more
            plan = built(self._library, self._plans, self._device, onnx, name, again=again)
            engine = self._library.open(plan)
            if engine is not None:
                return TensorRtModel(self._library, engine, self._cuda, name)
        raise ModelError(f"{self.name} cannot run {name} on {self._device}. Choose --engine onnxruntime.")


class TensorRtModel:
    """A network on the card; see `backends.base.Model`. One thread at a time."""

    def __init__(self, library: Library, engine: Any, cuda: Cuda, name: str) -> None:
        self._name = name
        self._cuda = cuda
        self._engine = engine
        self._context = library.context(engine)
        self._records = library.name != BUILT_HERE
        self._stream = cuda.stream()
        self.inputs: dict[str, TensorSpec] = {}
        self.outputs: dict[str, TensorSpec] = {}
        self._at: dict[str, int] = {}
        for place in range(engine.num_io_tensors):
            self._place(library, engine.get_tensor_name(place))
        self._launch: Callable[[], None] | None = None
        weakref.finalize(self, _free, cuda, tuple(self._at.values()))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        sent = self._send(feeds)
        if self._launch is None:
            self._enqueue()  # the first run prepares what a graph may not hold
            self._launch = self._cuda.recorded(self._enqueue, self._stream) if self._records else self._enqueue
        else:
            self._launch()
        made = {name: np.empty(spec.shape, spec.dtype) for name, spec in self.outputs.items()}
        for name, array in made.items():
            self._cuda.download(array, self._at[name], self._stream)
        self._cuda.wait(self._stream)
        del sent  # lived until the card had it
        return made

    def hold(self, constants: Mapping[str, Array]) -> None:
        sent = self._send(constants)
        self._cuda.wait(self._stream)
        del sent

    def _place(self, library: Library, name: str) -> None:
        engine, trt = self._engine, library.trt
        spec = TensorSpec(tuple(engine.get_tensor_shape(name)), np.dtype(trt.nptype(engine.get_tensor_dtype(name))))
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        (self.inputs if is_input else self.outputs)[name] = spec
        self._at[name] = self._cuda.room(nbytes(spec.shape, spec.dtype))
        self._context.set_tensor_address(name, self._at[name])

    def _send(self, feeds: Mapping[str, Array]) -> list[Array]:
        sent = []
        for name, value in feeds.items():
            spec = self.inputs.get(name)
            if spec is None or value.shape != spec.shape:
                raise ModelError(f"The {self._name} network takes no '{name}' of the shape {value.shape}.")
            sent.append(np.ascontiguousarray(value, spec.dtype))
            self._cuda.upload(self._at[name], sent[-1], self._stream)
        return sent

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(self._stream):
            raise ModelError(f"The {self._name} network failed on the graphics card.")


def _free(cuda: Cuda, pointers: tuple[int, ...]) -> None:
    for pointer in pointers:
        cuda.free(pointer)

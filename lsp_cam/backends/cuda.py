"""The few calls of CUDA's runtime that an engine on a graphics card needs. Pointers and streams are whole numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingExtra, ModelError
from ..folders import install_command
from .base import Array

# Where a driver shows itself; libraries that crash without one are not asked before.
DRIVER_FILES = ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1", "C:/Windows/System32/nvcuda.dll")


def has_driver() -> bool:
    """Whether NVIDIA's driver is installed, found without loading anything of it."""
    return any(Path(file).exists() for file in DRIVER_FILES)


class Cuda:
    """The first graphics card. Raises MissingExtra or ModelError where there is none."""

    def __init__(self, runtime: Any = None) -> None:
        """runtime: `cuda.bindings.runtime` unless given."""
        self._rt = runtime if runtime is not None else _runtime()
        if not self._ok(self._rt.cudaGetDeviceCount()):
            raise ModelError("There is no graphics card of NVIDIA here. Choose --engine onnxruntime.")

    def device(self) -> str:
        """The card's name and compute capability."""
        found = self._ok(self._rt.cudaGetDeviceProperties(0))
        name = found.name.decode() if isinstance(found.name, bytes) else str(found.name)
        return f"{name} {found.major}.{found.minor}"

    def stream(self) -> int:
        """A stream of work of its own."""
        return int(self._ok(self._rt.cudaStreamCreate()))

    def room(self, size_bytes: int) -> int:
        """Memory on the card, until the process ends or `free`."""
        return int(self._ok(self._rt.cudaMalloc(max(size_bytes, 1))))

    def free(self, pointer: int) -> None:
        """Give memory back."""
        self._rt.cudaFree(pointer)

    def upload(self, pointer: int, array: Array, stream: int) -> None:
        """Copy a contiguous array to the card; it must live until `wait`."""
        kind = self._rt.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._ok(self._rt.cudaMemcpyAsync(pointer, array.ctypes.data, array.nbytes, kind, stream))

    def download(self, array: Array, pointer: int, stream: int) -> None:
        """Copy from the card into a contiguous array, which is filled after `wait`."""
        kind = self._rt.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._ok(self._rt.cudaMemcpyAsync(array.ctypes.data, pointer, array.nbytes, kind, stream))

    def wait(self, stream: int) -> None:
        """Until all work of the stream is done."""
        self._ok(self._rt.cudaStreamSynchronize(stream))

    def recorded(self, work: Callable[[], None], stream: int) -> Callable[[], None]:
        """What `work` puts into the stream, as one CUDA graph: each call launches it again."""
        mode = self._rt.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._ok(self._rt.cudaStreamBeginCapture(stream, mode))
        try:
            work()
        finally:
            graph = self._ok(self._rt.cudaStreamEndCapture(stream))
        ready = self._ok(self._rt.cudaGraphInstantiate(graph, 0))
        return lambda: self._ok(self._rt.cudaGraphLaunch(ready, stream))

    def _ok(self, result: Any) -> Any:
        """The value of a call; ModelError if it failed."""
        error, *values = result
        if int(error) != 0:
            raise ModelError(f"The graphics card does not answer ({error}). Is its driver installed and new enough?")
        return values[0] if values else None


def nbytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes of an array."""
    return int(np.prod(shape)) * dtype.itemsize


def _runtime() -> Any:
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise MissingExtra(f"cuda-bindings does not load ({error}). Install it: {install_command('rtx')}") from None
    return runtime

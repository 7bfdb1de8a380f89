"""What ONNX Runtime can run networks on besides the processor, where the installed build has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Options = dict[str, str]


@dataclass(frozen=True)
class Provider:
    """An execution provider. `ort`: ONNX Runtime's name for it; `package`: which build has it, in place of onnxruntime.

    `options(threads, folder)`: what it is opened with; `folder` is where it may keep what it compiled. `arena`:
    whether ONNX Runtime may plan memory for it.
    """

    ort: str
    package: str
    options: Callable[[int, Path], Options]
    arena: bool = True


def _cuda(threads: int, folder: Path) -> Options:
    return {"cudnn_conv_use_max_workspace": "1", "do_copy_in_default_stream": "1"}


def _tensorrt(threads: int, folder: Path) -> Options:
    return {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder), "trt_fp16_enable": "0"}


def _directml(threads: int, folder: Path) -> Options:
    return {}


def _coreml(threads: int, folder: Path) -> Options:
    return {"ModelFormat": "MLProgram", "MLComputeUnits": "ALL", "RequireStaticInputShapes": "1"}


def _openvino(threads: int, folder: Path) -> Options:
    return {"device_type": "CPU", "num_of_threads": str(threads), "precision": "FP32"}


PROVIDERS: Mapping[str, Provider] = {
    "onnxruntime-cuda": Provider("CUDAExecutionProvider", "onnxruntime-gpu", _cuda),
    "onnxruntime-tensorrt": Provider("TensorrtExecutionProvider", "onnxruntime-gpu", _tensorrt),
    "onnxruntime-directml": Provider("DmlExecutionProvider", "onnxruntime-directml", _directml, arena=False),
    "onnxruntime-coreml": Provider("CoreMLExecutionProvider", "onnxruntime", _coreml),
    "onnxruntime-openvino": Provider("OpenVINOExecutionProvider", "onnxruntime-openvino", _openvino),
}

"""Which engine runs the networks."""

from __future__ import annotations

import os

from ..errors import UsageError
from .base import Engine

ENGINES = ("auto", "onnxruntime")


def open_engine(name: str = "auto", threads: int | None = None, *, shared: bool = False) -> Engine:
    """The engine called `name`; `auto` is ONNX Runtime. `threads` is for the renderer (None: up to 4 cores).

    shared: networks will run beside one another, not one after the other.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine called '{name}'. Choose one of: {', '.join(ENGINES)}.")
    if threads is not None and not 1 <= threads <= 256:
        raise UsageError(f"--threads {threads}: use a number from 1 to 256.")
    from .ort import OrtEngine

    return OrtEngine(threads or min(os.cpu_count() or 1, 4), shared=shared)

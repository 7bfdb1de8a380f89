"""Which engine runs the networks."""

from __future__ import annotations

import os

from .. import folders
from ..errors import ModelError, UsageError
from .auto import AutoEngine, Memory
from .base import Engine
from .cuda import Cuda, has_driver
from .plans import Plans
from .probe import Found, look, look_provider
from .providers import PROVIDERS
from .trt import MODULES, Library, TensorRtEngine

ON_CARDS = tuple(MODULES)
ENGINES = ("auto", "onnxruntime", *ON_CARDS, *PROVIDERS)
MAX_CPU_THREADS = 4


def open_engine(name: str = "auto", threads: int | None = None, *, shared: bool = False) -> Engine:
    """The engine called `name`; `auto` measures those that work here. `threads` is for the renderer on the CPU (None:
    up to 4 cores).

    shared: networks will run beside one another, not one after the other.
    Raises UsageError for an unknown name, MissingExtra or ModelError for an engine that cannot run here.
    """
    if name not in ENGINES:
        raise UsageError(f"There is no engine called '{name}'. Choose one of: {', '.join(ENGINES)}.")
    if threads is not None and not 1 <= threads <= 256:
        raise UsageError(f"--threads {threads}: use a number from 1 to 256.")
    from .ort import OrtEngine

    cpu = OrtEngine(threads or min(os.cpu_count() or 1, MAX_CPU_THREADS), shared=shared)
    if name in ON_CARDS or name in PROVIDERS:
        found = look(name, MODULES[name]) if name in ON_CARDS else look_provider(name)
        if not found.usable:
            raise ModelError(f"{name} does not run here: {found.why}. Choose --engine onnxruntime.")
        return _other(name, cpu, shared)
    others = [f for f in (survey() if has_driver() else providers()) if f.usable] if name == "auto" else []
    if not others:
        return cpu
    machine = " ".join([cpu.version, *(f"{f.name} {f.version} {f.device}" for f in others)])
    return AutoEngine([cpu, *(_other(f.name, cpu, shared) for f in others)], memory(), machine)


def survey() -> list[Found]:
    """The engines besides the processor's, and what each can do here."""
    return [look(name, module) for name, module in MODULES.items()] + providers()


def providers() -> list[Found]:
    """ONNX Runtime's providers, and what each can do here."""
    return [look_provider(name) for name in PROVIDERS]


def memory() -> Memory:
    """What `auto` remembers of this machine."""
    return Memory(folders.state_folder() / "engines.json")


def plans() -> Plans:
    """Where engines are kept."""
    return Plans(folders.home() / "engines")


def _other(name: str, cpu: Engine, shared: bool) -> Engine:
    if name in PROVIDERS:
        from .ort import OrtEngine

        return OrtEngine(cpu.threads, shared=shared, provider=name, folder=folders.home() / "engines")
    return TensorRtEngine(Library(name), Cuda(), plans(), cpu)

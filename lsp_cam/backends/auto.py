"""`--engine auto`: each network on whichever engine runs it fastest here, as measured once and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import ModelError
from .base import ANY, Array, Engine, Model

RUNS = 15
WARM_UP_RUNS = 3


class Memory:
    """What was found fastest, by key, in a file of the state folder; if it is damaged, it is empty."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def get(self, key: str) -> str | None:
        """The engine that was fastest for `key`."""
        found = self._read().get(key)
        return found if isinstance(found, str) else None

    def put(self, key: str, engine: str) -> None:
        """Remember an engine."""
        self._write({**self._read(), key: engine})

    def clear(self) -> None:
        """Forget everything."""
        self._file.unlink(missing_ok=True)

    def _read(self) -> dict[str, object]:
        try:
            found = json.loads(self._file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write(self, found: Mapping[str, object]) -> None:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(dir=self._file.parent, prefix=self._file.name)
            with os.fdopen(handle, "w") as file:
                json.dump(found, file)
            os.replace(part, self._file)
        except OSError:
            return  # it is measured again next time


class AutoEngine:
    """Loads a network on the fastest of `engines` (the first is the one that never fails); `machine` names what would
    make a measurement stale: versions and devices."""

    def __init__(self, engines: Sequence[Engine], memory: Memory, machine: str) -> None:
        self.threads = engines[0].threads
        self._engines = {engine.name: engine for engine in engines}
        self._first = engines[0]
        self._memory = memory
        self._machine = machine
        self._chosen: list[str] = []

    @property
    def name(self) -> str:
        """Those that run something, and before the first network those that may."""
        return " + ".join(dict.fromkeys(self._chosen)) or "auto"

    def load(self, onnx: bytes, name: str, threads: int | None = None) -> Model:
        key = "|".join([hashlib.sha256(onnx).hexdigest(), self._machine, str(threads or self.threads)])
        remembered = self._memory.get(key)
        if remembered in self._engines:
            try:
                return self._take(remembered, self._engines[remembered].load(onnx, name, threads))
            except ModelError:
                if remembered == self._first.name:
                    raise
        best, model = self._measured(onnx, name, threads)
        self._memory.put(key, best)
        return self._take(best, model)

    def _measured(self, onnx: bytes, name: str, threads: int | None) -> tuple[str, Model]:
        first = self._first.load(onnx, name, threads)
        if any(ANY in spec.shape for spec in first.inputs.values()):
            return self._first.name, first
        best, model, least_ms = self._first.name, first, milliseconds(first)
        for engine in [e for e in self._engines.values() if e is not self._first]:
            try:
                other = engine.load(onnx, name, threads)
                spent_ms = milliseconds(other)
            except ModelError:  # it does not know an operator, or its card has no room: the first one does
                continue
            if spent_ms < least_ms:
                best, model, least_ms = engine.name, other, spent_ms
        return best, model

    def _take(self, engine: str, model: Model) -> Model:
        self._chosen.append(engine)
        return model


def milliseconds(model: Model, runs: int = RUNS) -> float:
    """Median time of a run, of inputs that are noise."""
    random = np.random.default_rng(0)
    feeds: dict[str, Array] = {
        name: random.uniform(size=spec.shape).astype(spec.dtype) for name, spec in model.inputs.items()
    }
    spent = []
    for run in range(WARM_UP_RUNS + runs):
        began = time.perf_counter()
        model.run(feeds)
        if run >= WARM_UP_RUNS:
            spent.append(1e3 * (time.perf_counter() - began))
    return statistics.median(spent)

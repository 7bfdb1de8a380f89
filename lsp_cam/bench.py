"""How fast a subject runs on this machine: every stage, and the whole chain."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import numpy as np

from .backends.base import Engine
from .dub import dub
from .packets import SAMPLE_RATE_HZ, Float32
from .pipeline import Pipeline, PipelineConfig
from .subject import Subject


def bench(subject: Subject, engine: Engine, samples: Float32, fps: int, threads: int) -> dict[str, Any]:
    """Render `samples` (S,) 16 kHz at `fps`, as fast as it goes, after a second that is not counted.

    Gives subject, engine, threads, size, fps (pictures per second of wall time), realtime_fps (what was asked),
    seconds, and stages: per stage calls, median_ms, p95_ms.
    """
    times: dict[str, list[float]] = defaultdict(list)
    pipeline = Pipeline(subject, engine, PipelineConfig(), observe=lambda name, s: times[name].append(s))
    for _ in dub(pipeline, samples[:SAMPLE_RATE_HZ], fps):
        pass
    times.clear()
    began = time.perf_counter()
    pictures = sum(1 for _ in dub(pipeline, samples, fps))
    elapsed = time.perf_counter() - began
    return {
        "subject": subject.name,
        "engine": engine.name,
        "threads": threads,
        "size": pipeline.size,
        "fps": round(pictures / elapsed, 2),
        "realtime_fps": fps,
        "seconds": round(len(samples) / SAMPLE_RATE_HZ, 3),
        "stages": {name: _summary(values) for name, values in times.items()},
    }


def _summary(values: list[float]) -> dict[str, float | int]:
    ms = np.array(values) * 1000
    return {
        "calls": len(values),
        "median_ms": round(float(np.median(ms)), 4),
        "p95_ms": round(float(np.percentile(ms, 95)), 4),
        "total_ms": round(float(ms.sum()), 2),
    }

"""Peak memory of the chain without the renderer, and what `lsp-cam --help` costs. Figures, never a test."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

MEMORY = """
import resource, sys
import numpy as np
from lsp_cam.backends.choose import open_engine
from lsp_cam.pipeline import MotionChain, PipelineConfig, motion_stages
from lsp_cam.stages.featuremap import FeatureMapStage
from lsp_cam.store import Store
from lsp_cam.stream import chunked, run_offline
subject = Store().get(sys.argv[1])
chain = MotionChain(motion_stages(subject, open_engine(), PipelineConfig()), None, None)
draw = FeatureMapStage.from_subject(subject)
speech = (0.1 * np.random.default_rng(0).standard_normal(16_000 * 20)).astype(np.float32)
for landmarks in run_offline(chain, chunked(speech, 533)):
    draw.draw(landmarks)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_memory_mb(subject: str) -> float:
    """Peak resident memory (MB) of a process that runs 20 s of sound to feature maps."""
    got = subprocess.run([sys.executable, "-c", MEMORY, subject], capture_output=True, text=True, check=True)
    return float(got.stdout)


def help_ratio(runs: int = 11) -> dict[str, float]:
    """Median seconds of `lsp-cam --help`, of importing typer and rich, and their ratio, taken in turn."""
    program = Path(sys.executable).with_name("lsp-cam")
    commands = {"help": [str(program), "--help"], "import": [sys.executable, "-c", "import typer, rich"]}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            times[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    return {"help_s": medians["help"], "import_s": medians["import"], "ratio": medians["help"] / medians["import"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subject", default="demo")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    figures = {"peak_memory_mb": round(peak_memory_mb(args.subject), 1), **help_ratio()}
    if args.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:16} {value:10.3f}")


if __name__ == "__main__":
    main()

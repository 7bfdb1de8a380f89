"""Mel to feature map: this chain against the same networks run as the published code runs them, in one run.

    python benchmarks/motion.py [--subject NAME] [--seconds 6] [--rounds 3] [--json]

Both sides take turns, so that a change of the machine's speed meets both; medians are over the rounds. A stage's figure
is its time over all frames divided by the frames: the networks work on every second call. The voice detector, which the
published code has none of, is told apart.

This chain runs twice: `live`, in chunks of 1/30 s as the daemon hears them, and `offline`, in chunks as `render` does.
The published code has the whole clip before it, so it is `offline` that compares; the ratios of `live` stand beside.
"""

from __future__ import annotations

import argparse
import json
import statistics
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the program does
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import eager

from lsp_cam.assets import sample_speech
from lsp_cam.backends.choose import open_engine
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.dub import CHUNK_SAMPLES
from lsp_cam.packets import FeatureMap
from lsp_cam.pipeline import MotionChain, PipelineConfig, motion_stages
from lsp_cam.stages.featuremap import FeatureMapStage
from lsp_cam.stages.mel import mel_filters
from lsp_cam.store import Store
from lsp_cam.stream import chunked, run_offline

LIVE_CHUNK_SAMPLES = 533  # 1/30 s, what a picture at 30 fps takes


def ours(subject: Any, speech: np.ndarray[Any, Any], chunk_samples: int) -> tuple[dict[str, float], float, list[Any]]:
    """Seconds per 60 fps frame of each stage, of mel to feature map in all, and the landmarks."""
    times: dict[str, float] = defaultdict(float)

    def note(name: str, seconds: float) -> None:
        times[name] += seconds

    stages = motion_stages(subject, open_engine(), PipelineConfig())
    chain = MotionChain(stages, note, None)
    draw = FeatureMapStage.from_subject(subject)
    list(run_offline(chain, chunked(speech[:16_000], chunk_samples)))
    times.clear()
    began = time.perf_counter()
    landmarks = []
    for landmark in run_offline(chain, chunked(speech, chunk_samples)):
        drawn = time.perf_counter()
        assert isinstance(draw.draw(landmark), FeatureMap)
        note("featuremap", time.perf_counter() - drawn)
        landmarks.append(landmark)
    spent = time.perf_counter() - began - times["voice"]
    return {name: total / len(landmarks) for name, total in times.items()}, spent / len(landmarks), landmarks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subject", default="demo")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    subject = Store().get(args.subject)
    speech = np.resize(read_audio(sample_speech()), int(args.seconds * 16_000))
    base = subject.arrays("manifold.npz", feature_base=(None, None))["feature_base"].astype(np.float32)
    rounds: list[dict[str, Any]] = []
    for _ in range(args.rounds):
        live, live_frame, _ = ours(subject, speech, LIVE_CHUNK_SAMPLES)
        offline, offline_frame, landmarks = ours(subject, speech, CHUNK_SAMPLES)
        draw = FeatureMapStage.from_subject(subject)
        published = eager.run(speech, base, mel_filters(), lambda i, f=landmarks, d=draw: d.draw(f[i % len(f)]))
        sides = {"live": live, "live_frame": live_frame, "offline": offline, "offline_frame": offline_frame}
        rounds.append({**sides, "published": published})
    report(rounds, args.json)


def report(rounds: list[dict[str, Any]], as_json: bool) -> None:
    """Medians over the rounds: milliseconds, and the two ratios that the project sets itself as goals."""

    def median(*path: str) -> float:
        values = []
        for one in rounds:
            value: Any = one
            for key in path:
                value = value[key]
            values.append(value * 1000)
        return statistics.median(values)

    figures: dict[str, Any] = {}
    for side in ("live", "offline"):
        figures[f"{side}_stage_ms_per_60fps_frame"] = {name: median(side, name) for name in rounds[0][side]}
        figures[f"{side}_ms_per_60fps_frame"] = median(f"{side}_frame")
    figures["live_ms_per_30th_of_a_second"] = 2 * median("live_frame")
    published = {name: median("published", name) for name in rounds[0]["published"]}
    figures["published_ms_per_60fps_frame"] = published
    figures["published_total_ms"] = sum(published.values())
    for side in ("live", "offline"):
        ratios = [sum(r["published"].values()) / r[f"{side}_frame"] for r in rounds]
        figures[f"ratio_chain_{side}"] = statistics.median(ratios)
        steps = [r["published"]["pose"] / (r[side]["gates"] + r[side]["pose"]) for r in rounds]
        figures[f"ratio_pose_step_{side}"] = statistics.median(steps)
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        if isinstance(value, dict):
            print(name)
            for key, number in value.items():
                print(f"    {key:14} {number:9.4f}")
        else:
            print(f"{name:34} {value:9.3f}")


if __name__ == "__main__":
    main()

"""The whole chain, speech to RGB picture, against the same chain run as the published code runs it, in one run.

    python benchmarks/chain.py [--seconds 4] [--rounds 3] [--lengths 10 3600] [--rates 15 60] [--subjects 1 4] [--json]

`eager` is PyTorch eager on two threads: the motion of `eager.py`, and the paper-size generator over map and candidates
joined anew for each picture. `full` is that generator's exported file on ONNX Runtime, `lite` the subject's own
renderer. Networks of the published size have random weights: only their cost matters. All sides take turns; a figure is
the median of the rounds, in milliseconds for each picture of a 60 fps stream. Memory, and what a rate, a length or more
subjects cost, is measured in processes apart, one after the other; `cpu` is processor time, which other work on the
machine changes least. `--rounds 0` leaves the comparison out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the program does
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
import eager
import motion
import renderer

from lsp_cam.assets import sample_speech
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.dub import CHUNK_SAMPLES, dub
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.pipeline import Pipeline
from lsp_cam.stages.featuremap import FeatureMapStage
from lsp_cam.stages.mel import mel_filters
from lsp_cam.stages.render import RenderConfig, RenderStage
from lsp_cam.store import Store
from lsp_cam.subject import Subject
from lsp_cam.train.export_render import render_onnx
from lsp_cam.train.models.render import CANDIDATE_CHANNELS, Generator

SIZE_PX = 512
PICTURES = 3  # of the large generators in a round
GROWTH = """
import resource, sys, time
import numpy as np
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.dub import dub
from lsp_cam.pipeline import MotionChain, Pipeline, PipelineConfig, motion_stages
from lsp_cam.store import Store
from lsp_cam.stream import run_offline
from lsp_cam.packets import AudioChunk

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

subject, what, count = Store().get(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if what == "subjects":
    pipelines = [Pipeline(subject, OrtEngine(2)) for _ in range(count)]
    for one in pipelines:
        one.render(one.draw(one.idle()))
    print(0.0, 0.0, resident_mb())
elif what == "fps":
    speech = np.load(sys.argv[4])
    pipeline = Pipeline(subject, OrtEngine(1))
    list(dub(pipeline, speech[:16000], count))
    began, busy = time.perf_counter(), time.process_time()
    pictures = sum(1 for _ in dub(pipeline, speech, count))
    spent = time.perf_counter() - began, time.process_time() - busy
    print(*(1e3 * seconds / pictures for seconds in spent), resident_mb())
else:
    speech = np.load(sys.argv[4])
    chain = MotionChain(motion_stages(subject, OrtEngine(2), PipelineConfig()), None, None)
    began, busy, frames = time.perf_counter(), time.process_time(), 0
    chunks = (AudioChunk(np.take(speech, range(at, at + 8000), mode="wrap")) for at in range(0, count * 16000, 8000))
    for _ in run_offline(chain, chunks):
        frames += 1
    spent = time.perf_counter() - began, time.process_time() - busy
    print(*(1e3 * seconds / frames for seconds in spent), resident_mb())
"""


def large_generators(threads: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The paper-size generator on a map, in PyTorch eager, and the exported one on ONNX Runtime."""
    torch.manual_seed(0)
    torch.set_num_threads(threads)
    network = Generator("normal").eval()
    files = render_onnx(network.state_dict(), "normal", 64, SIZE_PX)
    engine = OrtEngine(threads)
    candidates = np.random.default_rng(0).uniform(-1, 1, (1, CANDIDATE_CHANNELS, SIZE_PX, SIZE_PX)).astype(np.float32)
    model = engine.load(files["render.onnx"], "paper")
    model.hold(engine.load(files["render_constants.onnx"], "constants").run({"candidates": candidates}))
    exported = RenderStage(RenderConfig(SIZE_PX), model)
    held = torch.from_numpy(candidates)

    def in_eager(feature_map: Any) -> Any:
        lines = torch.from_numpy(feature_map.pixels.astype(np.float32) / 255)[None, None]
        with torch.inference_mode():
            picture = network(torch.cat([lines, held], 1))[0]
        return ((picture.permute(1, 2, 0).numpy() + 1) * 127.5).astype(np.uint8)

    return in_eager, exported.render


def milliseconds(work: Callable[[], Any], times: int) -> float:
    """Median of so many calls, after one that is not counted."""
    work()
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        spent.append(1e3 * (time.perf_counter() - began))
    return statistics.median(spent)


def one_round(subject: Subject, speech: Any, large: tuple[Any, Any], threads: int) -> dict[str, float]:
    """Milliseconds: motion (ours, published), renderers, and lite pictures per second with 1 and `threads` threads."""
    base = subject.arrays("manifold.npz", feature_base=(None, None))["feature_base"].astype(np.float32)
    _, frame_s, landmarks = motion.ours(subject, speech, CHUNK_SAMPLES)
    draw = FeatureMapStage.from_subject(subject)
    published = eager.run(speech, base, mel_filters(), lambda i: draw.draw(landmarks[i % len(landmarks)]))
    drawn = draw.draw(landmarks[len(landmarks) // 2])
    figures = {"motion": 1e3 * frame_s, "eager_motion": 1e3 * sum(published.values())}
    figures["eager_generator"] = milliseconds(lambda: large[0](drawn), PICTURES)
    figures["full"] = milliseconds(lambda: large[1](drawn), PICTURES)
    for count in (1, threads):
        lite = RenderStage.from_subject(subject, OrtEngine(count))
        figures[f"lite_{count}"] = milliseconds(lambda stage=lite: stage.render(drawn), 60)
        pipeline = Pipeline(subject, OrtEngine(count))
        began = time.perf_counter()
        pictures = sum(1 for _ in dub(pipeline, speech, 30))
        figures[f"fps_{count}"] = pictures / (time.perf_counter() - began)
    return figures


def summed(rounds: list[dict[str, float]], threads: int) -> dict[str, float]:
    """Medians over the rounds, and of the ratios within each."""
    figures = {name: statistics.median(r[name] for r in rounds) for name in rounds[0]}

    def ratio(ours: Callable[[dict[str, float]], float], theirs: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(theirs(r) / ours(r) for r in rounds)

    lite = f"lite_{threads}"
    figures["motion_times_faster"] = ratio(lambda r: r["motion"], lambda r: r["eager_motion"])
    figures["full_times_faster"] = ratio(lambda r: r["full"], lambda r: r["eager_generator"])
    figures["chain_times_faster_lite"] = ratio(
        lambda r: r["motion"] + r[lite], lambda r: r["eager_motion"] + r["eager_generator"]
    )
    figures["chain_times_faster_full"] = ratio(
        lambda r: r["motion"] + r["full"], lambda r: r["eager_motion"] + r["eager_generator"]
    )
    return figures


def growth(subject: str, what: str, count: int, speech_file: str) -> dict[str, float]:
    """Of a process: `seconds` of speech to landmarks (ms a frame), pictures at a rate of `fps` on one thread (ms a
    picture), or so many `subjects` held warm; resident MB."""
    command = [sys.executable, "-c", GROWTH, subject, what, str(count), speech_file]
    got = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {what: count, "ms": float(got[0]), "cpu_ms": float(got[1]), "resident_mb": float(got[2])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subject", default="demo")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lengths", type=int, nargs="*", default=[], help="seconds of speech to run motion over")
    parser.add_argument("--rates", type=int, nargs="*", default=[], help="pictures a second to make of the speech")
    parser.add_argument("--subjects", type=int, nargs="*", default=[], help="numbers of subjects to hold warm")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    subject = Store().get(args.subject)
    speech = np.resize(read_audio(sample_speech()), int(args.seconds * SAMPLE_RATE_HZ))
    figures: dict[str, Any] = {}
    if args.rounds:
        large = large_generators(args.threads)
        figures = summed([one_round(subject, speech, large, args.threads) for _ in range(args.rounds)], args.threads)
        figures["lite_against_matrix_product"] = [renderer.measure(subject, n, 3, 2.0) for n in (1, args.threads)]
    speech_file = str(Path(os.environ.get("TMPDIR", "/tmp"), f"chain-{os.getpid()}.npy"))
    np.save(speech_file, speech)
    figures["growth"] = [growth(args.subject, "seconds", n, speech_file) for n in args.lengths]
    figures["growth"] += [growth(args.subject, "fps", n, speech_file) for n in args.rates]
    figures["growth"] += [growth(args.subject, "subjects", n, speech_file) for n in args.subjects]
    Path(speech_file).unlink()
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        if isinstance(value, list):
            print(name)
            for row in value:
                print("    " + ", ".join(f"{key} {number:.2f}" for key, number in row.items()))
        else:
            print(f"{name:28} {value:10.3f}")


if __name__ == "__main__":
    main()

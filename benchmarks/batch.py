"""A library of clips: on a local Ray cluster, a worker killed in the middle, and by one process. Figures, never a test.

    python benchmarks/batch.py [--clips 40] [--seconds 3] [--fps 30] [--workers 2] [--json]

The clips are cut from the sample speech, each from another place. Both sides run the command as a user does, starting
included; all films are compared, byte for byte. `work` counts from the first clip that is begun, so without the start
of Ray.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

from lsp_cam.assets import sample_speech
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]


def write_clips(folder: Path, clips: int, seconds: float) -> Path:
    """The list of so many recordings."""
    speech, size = read_audio(sample_speech()), round(seconds * SAMPLE_RATE_HZ)
    for index in range(clips):
        piece = np.take(speech, range(index * 4000, index * 4000 + size), mode="wrap")
        np.save(folder / f"{index:02d}.npy", piece)
    listing = folder / "list.txt"
    listing.write_text("".join(f"{index:02d}.npy\n" for index in range(clips)))
    return listing


def run(
    listing: Path, out: Path, args: argparse.Namespace, cluster: str, workers: int, kill_after: int
) -> dict[str, Any]:
    """Seconds and losses of a run; a worker is killed when `kill_after` clips are done (0: none)."""
    command = [*ENTRY, "render", "--batch", str(listing), "-o", str(out), "--subject", args.subject]
    command += ["--fps", str(args.fps), "--no-credentials", "--plain-progress"]
    command += ["--cluster", cluster, "--workers", str(workers)]
    began, begun = time.perf_counter(), 0.0
    killed = lost = done = 0
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as batch:
        assert batch.stdout is not None
        for line in batch.stdout:
            begun = begun or (time.perf_counter() if ": begun" in line else 0.0)
            done += line.startswith("[")
            lost += "a worker was lost" in line
            if kill_after and done >= kill_after and not killed:
                killed = kill_one(batch.pid)
    ended = time.perf_counter()
    if batch.returncode:
        raise SystemExit(f"The batch ended with status {batch.returncode}.")
    return {"whole_s": ended - began, "work_s": ended - begun, "killed": killed, "lost": lost}


def kill_one(pid: int) -> int:
    """Kill a worker of Ray's that is at work; waits for one."""
    while True:
        for process in psutil.Process(pid).children(recursive=True):
            try:
                if " ".join(process.cmdline()).startswith("ray::film"):
                    process.kill()
                    return 1
            except psutil.Error:
                continue
        time.sleep(0.02)


def pictures_of(film: Path) -> int:
    """How many pictures a film has."""
    with av.open(str(film)) as file:
        return sum(1 for _ in file.decode(video=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subject", default="demo")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        listing = write_clips(root, args.clips, args.seconds)
        figures: dict[str, Any] = {"clips": args.clips, "seconds": args.seconds}
        for name, cluster, workers, kill_after in (
            ("ray", "local", args.workers, args.clips // 2),
            ("one", "none", 1, 0),
        ):
            figures["load"] = os.getloadavg()[0]
            figures[name] = run(listing, root / name, args, cluster, workers, kill_after)
        films = sorted((root / "one").glob("*.mp4"))
        same = [film.read_bytes() == (root / "ray" / film.name).read_bytes() for film in films]
        figures["films"], figures["same_bytes"] = len(films), sum(same)
        pictures = sum(map(pictures_of, films))
        for name in ("ray", "one"):
            figures[name]["pictures_per_s"] = pictures / figures[name]["work_s"]
        figures["times_faster"] = figures["one"]["work_s"] / figures["ray"]["work_s"]
    if args.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:14} {value if isinstance(value, int) else json.dumps(value)}")


if __name__ == "__main__":
    main()

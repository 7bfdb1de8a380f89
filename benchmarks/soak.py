"""The real daemon for as long as a meeting lasts: does it grow, and does it stay in time?

    python benchmarks/soak.py --minutes 60 [--pulse] [--json]

Starts `lsp-cam start` with the shipped subject in a home of its own and looks at its process every few seconds:
memory, threads, open files, late pictures. Growth is counted from the end of the first five minutes (or of the first
third, of a short run). `--pulse`: speech comes through a PulseAudio of the benchmark's own, and leaves by LSP Mic;
without it the sample speech plays as the microphone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lsp_cam.assets import sample_speech
from lsp_cam.daemon.client import connect
from lsp_cam.daemon.runtime import Runtime
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import DaemonError
from lsp_cam.packets import SAMPLE_RATE_HZ
from tests.system.pulse import pulse_server

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
ROOT = Path(__file__).resolve().parents[1]
SETTLE_S = 300.0
EVERY_S = 5.0
COLUMNS = ("memory_mb", "own_memory_mb", "threads", "files")


def soak(minutes: float, subject: str = "demo", fps: int = 30, pulse: bool = False) -> list[dict[str, float]]:
    """Run the daemon for so long; gives what was seen, every `EVERY_S`."""
    with tempfile.TemporaryDirectory(prefix="lsp-soak-") as home, _sound(pulse) as (environ, words):
        environ |= {"LSP_CAM_HOME": home, "LSP_CAM_RUNTIME": f"{home}/run", "PYTHONPATH": str(ROOT)}
        start = ["start", "--subject", subject, "--camera", "none", "--fps", str(fps), *words]
        subprocess.run([*ENTRY, *start], env=environ, check=True, stdout=subprocess.DEVNULL)
        try:
            return _watch(Runtime(Path(home) / "run"), 60 * minutes)
        finally:
            subprocess.run([*ENTRY, "stop"], env=environ, check=True, stdout=subprocess.DEVNULL)


def judged(samples: list[dict[str, float]]) -> dict[str, Any]:
    """Figures of a run: what each column was after settling and at the end, its growth, and the late pictures.

    Memory is the median of the first and of the last tenth after settling, threads and files the least of each: what is
    opened for a moment (a device that is looked for) is no growth. `late`: pictures that were sent again
    because no new one was ready, and ticks that were missed, as a share of all. `waiting_percent`: for how long its
    threads wanted a processor and got none, in all; `stolen_percent`: how much of this machine's processors its
    host gave to other machines.
    """
    settle_s = min(SETTLE_S, samples[-1]["at_s"] / 3)
    settled = [s for s in samples if s["at_s"] >= settle_s]
    tenth = max(len(settled) // 10, 1)
    first, last = settled[0], settled[-1]
    ticks = last["sent"] - first["sent"] + last["missed"] - first["missed"]
    late = last["repeated"] - first["repeated"] + last["missed"] - first["missed"]
    found: dict[str, Any] = {"minutes": round(last["at_s"] / 60, 1), "settled_s": round(settle_s)}
    for name in COLUMNS:
        typical = np.median if name.endswith("_mb") else np.min
        before, after = (float(typical([s[name] for s in part])) for part in (settled[:tenth], settled[-tenth:]))
        found[name] = {"settled": round(before, 2), "end": round(after, 2), "growth": round(after - before, 2)}
    return {
        **found,
        "pictures": int(ticks),
        "late_percent": round(100 * late / max(ticks, 1), 3),
        "skipped_percent": round(100 * (last["skipped"] - first["skipped"]) / max(ticks, 1), 3),
        "delay_ms": last["delay_ms"],
        "overflows": int(last["overflows"]),
        "voice_jumps": int(last["jumps"]),
        "machine_load": round(float(np.median([s["load"] for s in settled])), 1),
        "waiting_percent": _share_of_time(first, last, "waited_s"),
        "stolen_percent": round(_share_of_time(first, last, "stolen_s") / (os.cpu_count() or 1), 2),
        "processor_percent": round(_share_of_time(first, last, "busy_s")),
    }


def _share_of_time(first: dict[str, float], last: dict[str, float], column: str) -> float:
    """Per cent of the time between two samples that was spent on something."""
    return round(100 * (last[column] - first[column]) / max(last["at_s"] - first["at_s"], 1), 2)


def _watch(runtime: Runtime, seconds: float) -> list[dict[str, float]]:
    began_s, samples = time.monotonic(), []
    while (at_s := time.monotonic() - began_s) < seconds:
        with suppress(DaemonError), connect(runtime) as client:  # it may be too busy to answer in time
            samples.append({"at_s": at_s, **_process(client.get("/api/status"))})
        time.sleep(EVERY_S)
    return samples


def _process(told: dict[str, Any]) -> dict[str, float]:
    """What the daemon says of itself, and what the kernel says of its process."""
    proc = Path("/proc") / str(told["pid"])
    lines = (line.split() for line in (proc / "status").read_text().splitlines())
    kernel = {words[0]: float(words[1]) for words in lines if words[0] in ("VmRSS:", "RssAnon:", "Threads:")}
    ticks = (proc / "stat").read_text().rpartition(")")[2].split()[11:13]
    return {
        "memory_mb": kernel["VmRSS:"] / 1024,
        "own_memory_mb": kernel["RssAnon:"] / 1024,
        "threads": kernel["Threads:"],
        "files": len(list((proc / "fd").iterdir())),
        "busy_s": sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"),
        "waited_s": _waited_s(proc),
        "stolen_s": psutil.cpu_times().steal,
        "load": os.getloadavg()[0],
        "delay_ms": told["latency"]["measured_p50_ms"] or 0.0,
        "overflows": told["microphone"]["overflows"],
        "jumps": told["voice"]["jumps"],
        **told["frames"],
    }


def _waited_s(proc: Path) -> float:
    """For how long the threads of a process have waited for a processor, in all."""
    waited_ns = 0
    for task in (proc / "task").iterdir():
        with suppress(OSError):  # it may just have ended
            waited_ns += int((task / "schedstat").read_text().split()[1])
    return waited_ns / 1e9


@contextmanager
def _sound(pulse: bool) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The environment of the daemon and what it hears and speaks through."""
    if not pulse:
        yield dict(os.environ), ["--mic", str(sample_speech()), "--mic-out", "none"]
        return
    with (
        pulse_server() as server,
        tempfile.TemporaryDirectory() as folder,
        server.talking(_write(Path(folder) / "speech.wav")),
    ):
        yield dict(server.environ), ["--mic", "test_mic", "--mic-out", "on"]


def _write(speech: Path) -> Path:
    """The sample speech as a WAV file."""
    with wave.open(str(speech), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes((read_audio(sample_speech()) * 32767).astype("<i2").tobytes())
    return speech


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--subject", default="demo")
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--pulse", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--samples", type=Path, help="file to write all that was seen to")
    args = parser.parse_args()
    samples = soak(args.minutes, args.subject, args.fps, args.pulse)
    if args.samples:
        args.samples.write_text("\n".join(map(json.dumps, samples)) + "\n")
    found = judged(samples)
    if args.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'':18}{'settled':>10}{'end':>10}{'growth':>10}")
    for name in COLUMNS:
        print(f"{name:18}" + "".join(f"{found[name][key]:10.2f}" for key in ("settled", "end", "growth")))
    for name, value in found.items():
        if name not in COLUMNS:
            print(f"{name:18}{value:10}")


if __name__ == "__main__":
    main()

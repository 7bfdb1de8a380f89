"""An hour of a call in made-up time: clocks apart, jitter, losses. Does speech stay as late as it was, and memory flat?

    python benchmarks/call_clock.py [--hours 1] [--ppm 200] [--json]

The sender's sound card is `ppm` slow; packets come 50 to 90 ms late, one in a hundred not at all. What is read is what
`lsp_cam.call.playout` makes of them, tick by tick of 10 ms, by no clock but the numbers here: a busy machine changes
nothing. Lateness is from the moment at which a word was said.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lsp_cam.assets import sample_speech
from lsp_cam.call.gate import NoiseGate
from lsp_cam.call.opus import PAUSE_BYTES, TICKS, Config, OpusEncoder
from lsp_cam.call.playout import Playout, Voiced
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ

LINE_S, JITTER_S, LOST = 0.05, 0.04, 0.01
PERIOD = 50 * 640  # samples: whole packets, and the speech is cut to a multiple of it


def packed() -> list[bytes]:
    """The sample speech as packets, and empty ones for pauses."""
    speech, config = read_audio(sample_speech()), Config()
    speech = np.concatenate([speech, np.zeros(PERIOD - len(speech) % PERIOD, np.float32)])
    encoder, gate = OpusEncoder(config), NoiseGate()
    encoder.correct(True)
    packets = [encoder.encode(gate.pass_on(frame)) for frame in speech.reshape(-1, config.frame_samples)]
    return [packet if len(packet) > PAUSE_BYTES else b"" for packet in packets]


def hours_of(hours: float, ppm: float) -> dict[str, Any]:
    """Lateness by minutes, and what went wrong."""
    rng, packets, playout = random.Random(1), packed(), Playout()
    frame_s = Config().frame_ms / 1000
    coming: list[tuple[float, int, Voiced]] = []
    number = sequence = 0
    minutes: list[float] = []
    late_s: list[float] = []
    memory_mb = []
    for tick in range(int(hours * 360_000)):
        now_s = tick / 100
        while (said_s := (number + 1) * frame_s * (1 + 1e-6 * ppm)) <= now_s:
            payload = packets[number % len(packets)]
            if payload:
                at_s = said_s + LINE_S + rng.uniform(0, JITTER_S)
                timestamp = number * Config().frame_samples * TICKS % (1 << 32)
                if rng.random() > LOST:
                    heapq.heappush(coming, (at_s, number, Voiced(sequence % (1 << 16), timestamp, payload, at_s)))
                sequence += 1
            number += 1
        while coming and coming[0][0] <= now_s:
            playout.hear(heapq.heappop(coming)[2])
        playout.next(now_s)
        if playout._place is not None:
            late_s.append(now_s - playout._place / SAMPLE_RATE_HZ * (1 + 1e-6 * ppm))
        if tick % 6000 == 5999:
            minutes.append(1000 * float(np.median(late_s)))
            late_s.clear()
            memory_mb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    settled = minutes[1:]
    return {
        "minutes": len(minutes), "apart_ms": round(hours * 3600 * ppm / 1000), "late_ms": round(settled[0], 1),
        "drift_ms": round(settled[-1] - settled[0], 1), "range_ms": [round(min(settled), 1), round(max(settled), 1)],
        "lost": playout.lost, "recovered": playout.recovered, "late": playout.late, "leaps": playout.leaps,
        "refused": playout.refused, "peak_memory_mb": [round(mb, 1) for mb in (memory_mb[: 10][-1], memory_mb[-1])],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--ppm", type=float, default=200.0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = hours_of(args.hours, args.ppm)
    if args.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:16}{value}")


if __name__ == "__main__":
    main()

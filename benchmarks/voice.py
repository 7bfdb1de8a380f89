"""LSP Mic over hours of made-up time: does the voice stay with its picture when clocks drift apart?

    python benchmarks/voice.py [--hours 8] [--ppm 300]

Microphone and virtual microphone run `ppm` fast and slow by clocks of their own; blocks arrive late and the sound
server's word on its delay is uncertain by milliseconds. Told are the offset between voice and picture over the whole
time, the drift between the first and the last tenth, and the longest gap in the voice.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.daemon.test_voice import World

SETTLE_S = 30.0
PIECE_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--ppm", type=float, default=300.0)
    args = parser.parse_args()
    world = World(args.ppm, -args.ppm)
    world.run(SETTLE_S, hz=200.0)
    world.errors_s.clear()
    worst_step, silent, longest = 0.0, 0, 0
    for _ in range(int(args.hours * 3600 / PIECE_S)):
        heard = world.run(PIECE_S, hz=200.0)
        worst_step = max(worst_step, float(np.abs(np.diff(heard)).max()))
        for loud in np.abs(heard[: len(heard) // 160 * 160]).reshape(-1, 160).max(axis=1) > 0.1:
            silent = 0 if loud else silent + 1
            longest = max(longest, silent)
    errors_ms = 1000 * np.array(world.errors_s)
    tenth = len(errors_ms) // 10
    drift_ms = abs(errors_ms[-tenth:].mean() - errors_ms[:tenth].mean())
    print(f"{args.hours:g} h, +-{args.ppm:g} ppm: offset median {np.median(errors_ms):+.2f} ms,", end=" ")
    print(f"largest {np.abs(errors_ms).max():.2f} ms; drift {drift_ms:.3f} ms; jumps {world.voice.jumps};", end=" ")
    print(f"longest gap {10 * longest} ms; largest step of a 200 Hz tone {worst_step:.3f} (its own: 0.079)")


if __name__ == "__main__":
    main()

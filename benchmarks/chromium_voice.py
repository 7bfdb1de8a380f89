"""Voice and picture in a browser for as long as a meeting lasts: Chromium takes LSP Mic.

    python benchmarks/chromium_voice.py [--minutes 10] [--subject demo] [--fps 30]

Noise of ever-changing loudness is played into a PulseAudio microphone, the daemon hears it, and a page in Chromium
takes "LSP Mic". Every four seconds the delay of what the page heard is set against that of the pictures of the last
20 s, by their own time codes (time of sending minus capture of the first sample that they show). Chromium stamps sound
with its capture, as WebRTC does for lip-sync. Figures, never a test.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.system.pulse import pulse_server
from tests.system.test_chromium_voice import measuring, meeting, on_air, status_of

SETTLE_S = 30.0
LOOK_S = 1.0


def measure(minutes: float, subject: str, fps: int) -> dict[str, float]:
    """Run for so long; the figures, times in ms."""
    loads = []
    with tempfile.TemporaryDirectory(prefix="lsp-lips-") as home, pulse_server() as pulse:
        words = ("--subject", subject, "--fps", str(fps))
        with on_air(pulse, Path(home), *words) as runtime, meeting(pulse) as page:
            seconds = SETTLE_S + 60 * minutes
            with measuring(pulse, page, runtime, seconds + 60) as measured:
                began_s, before = time.monotonic(), status_of(runtime)
                while time.monotonic() - began_s < seconds:
                    time.sleep(LOOK_S)
                    measured.look()
                    loads.append(os.getloadavg()[0])
                after = status_of(runtime)
            late_ms = 1000 * np.array(measured.listener.late_s)
    settled = np.array(measured.at_s) > began_s + SETTLE_S
    assert settled.any(), "No window was whole: the machine is too busy."
    told = (measured.offsets_s, measured.voice_s, measured.pictures_s)
    offsets, voice, pictures = (1000 * np.asarray(values)[settled] for values in told)
    third = max(len(offsets) // 3, 1)
    figures = {
        "windows": len(offsets),
        "windows_torn": measured.torn,
        "offset_median_ms": np.median(offsets),
        "offset_p5_ms": np.percentile(offsets, 5),
        "offset_p95_ms": np.percentile(offsets, 95),
        "offset_largest_ms": np.abs(offsets).max(),
        "drift_ms": np.median(offsets[-third:]) - np.median(offsets[:third]),
        "voice_median_ms": np.median(voice),
        "pictures_median_ms": np.median(pictures),
        "chromium_holds_median_ms": np.median(late_ms),
        "voice_jumps": after["voice"]["jumps"] - before["voice"]["jumps"],
        "daemons_own_offset_ms": after["voice"]["offset_p50_ms"],
        "new_pictures_per_s": after["camera"]["fps_new"],
        "load_median": np.median(loads),
    }
    return {name: round(float(value), 2) for name, value in figures.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--subject", default="demo")
    parser.add_argument("--fps", type=int, default=30)
    args = parser.parse_args()
    print(json.dumps(measure(args.minutes, args.subject, args.fps), indent=2))


if __name__ == "__main__":
    main()

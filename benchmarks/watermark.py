"""The invisible mark in figures: bit errors and misses over clips x attacks, false alarms, cost, visibility.

    python benchmarks/watermark.py --footage ../shared/data/synthetic/footage.mp4

Clips are drawn by `tests/trust/clips.py`; `--footage` adds `--cuts` more that are cut from videos.
"""

import argparse
import io
import sys
import time
from collections import defaultdict
from pathlib import Path

import av
import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lsp_cam.trust.detect import Finding, find_mark
from lsp_cam.trust.marks import Marker
from lsp_cam.trust.watermark import pattern
from tests.trust.clips import attacks, clip, encoded

FRAMES = 12


def look(video: bytes) -> Finding:
    """The evidence in an encoded clip."""
    with av.open(io.BytesIO(video)) as file:
        lumas = [frame.to_ndarray(format="gray").astype(np.float32) for frame in file.decode(video=0)]
    return find_mark(np.asarray(np.mean(lumas, axis=0), np.float32))


def cuts(footage: Path, clips: int):
    """`clips` stretches of FRAMES pictures, spread over the video."""
    with av.open(str(footage)) as file:
        total = file.streams.video[0].frames
        step, held = max(total // clips, FRAMES), []
        for number, frame in enumerate(file.decode(video=0)):
            if number % step < FRAMES:
                held.append(frame.to_ndarray(format="rgb24"))
            if len(held) == FRAMES:
                yield held
                held = []


def all_clips(options):
    """Drawn ones, then cut ones."""
    for seed in range(options.clips):
        yield clip(seed, FRAMES, options.size)
    for footage in options.footage:
        yield from cuts(footage, -(-options.cuts // len(options.footage)))


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=130)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--cuts", type=int, default=130)
    parser.add_argument("--footage", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    marker, found, plain = Marker(), defaultdict(list), []
    for frames in all_clips(options):
        for name, attacked in attacks([marker.mark(frame) for frame in frames]):
            found[name].append(look(encoded(attacked)))
        for _, attacked in attacks(frames):
            plain.append(look(encoded(attacked)))
    for name, findings in found.items():
        errors, z = np.array([f.error_rate for f in findings]), np.array([f.z for f in findings])
        missed = sum(not f.is_marked for f in findings)
        print(f"{name:<28} {len(z)} clips: missed {missed}; bit errors {errors.mean():.2%}, worst {errors.max():.1%}; "
              f"z {np.median(z):.1f} median, {z.min():.1f} least")  # fmt: skip
    z = np.array([f.z for f in plain])
    print(f"unmarked: {len(z)} clips, {sum(f.is_marked for f in plain)} false alarms; z {np.median(z):.2f} median, "
          f"{z.max():.2f} most; needed {plain[0].threshold:.2f}")  # fmt: skip
    picture, took = clip(0, 1, 512)[0], []
    for _ in range(200):
        began = time.perf_counter()
        marker.mark(picture)
        took.append(1000 * (time.perf_counter() - began))
    change = pattern(512, 512).astype(float)
    print(f"512 x 512: {np.median(took):.2f} ms a picture; {10 * np.log10(255**2 / (change**2).mean()):.1f} dB")


if __name__ == "__main__":
    main()

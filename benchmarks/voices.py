"""Does the portrait speak for voices that it never heard? A sheet of stills, and how far the lips part.

    python benchmarks/voices.py SPEECH_FOLDER [--subject demo] [--out docs/pictures/voices.jpg]

From each of ten speakers that no network was trained on, some seconds: the frames where the lips are the nearest to
each other while somebody speaks, half apart, and the farthest apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lsp_cam.backends.choose import open_engine
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ, VoiceFrame
from lsp_cam.pipeline import Pipeline
from lsp_cam.stages.landmarks import LIPS_INNER_LOWER, LIPS_INNER_UPPER
from lsp_cam.store import Store
from lsp_cam.stream import chunked, run_offline
from lsp_cam.subject import Subject
from lsp_cam.train.corpus import AUDIO_SUFFIXES, is_held_out

SPEAKERS, SECONDS = 10, 12
SHARES = (0.02, 0.5, 0.98)
STILL_PX = 224


def voices(folder: Path) -> list[Path]:
    """Ten recordings of held-out speakers, from as many corpora as there are."""
    found = [p for p in sorted(folder.rglob("*")) if p.suffix in AUDIO_SUFFIXES and is_held_out(p.stem)]
    by_corpus: dict[str, list[Path]] = {}
    for path in found:
        by_corpus.setdefault(path.relative_to(folder).parts[0], []).append(path)
    turns = [paths[i] for i in range(SPEAKERS) for paths in by_corpus.values() if i < len(paths)]
    return turns[:SPEAKERS]


def stills(subject: Subject, speech: np.ndarray[Any, Any]) -> tuple[list[np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """Three pictures, and the gap between the inner lips (pixels) in all frames with a voice."""
    heard: list[VoiceFrame] = []
    pipeline = Pipeline(
        subject, open_engine(), tap=lambda name, packet: heard.append(packet) if name == "voice" else None
    )
    frames = list(run_offline(pipeline.motion, chunked(speech, 8000)))
    spoken = {voice.frame for voice in heard if voice.gate > 0.9}
    frames = [frame for frame in frames if frame.frame in spoken]
    lower, upper = list(LIPS_INNER_LOWER), list(LIPS_INNER_UPPER)
    gaps = np.array([(f.points[lower, 1] - f.points[upper, 1]).mean() for f in frames])
    order = gaps.argsort()
    chosen = [frames[order[int(share * (len(order) - 1))]] for share in SHARES]
    return [pipeline.render(pipeline.draw(f)).pixels for f in chosen], gaps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subject", default="demo")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/voices.jpg"))
    args = parser.parse_args()
    subject, rows = Store().get(args.subject), []
    for path in voices(args.folder):
        pictures, gaps = stills(subject, read_audio(path)[: SECONDS * SAMPLE_RATE_HZ])
        low, middle, high = np.percentile(gaps, [2, 50, 98])
        print(f"{path.parent.name}/{path.stem}: lips apart {low:.1f} {middle:.1f} {high:.1f} px (2, 50, 98 %)")
        small = [cv2.resize(p, (STILL_PX, STILL_PX), interpolation=cv2.INTER_AREA) for p in pictures]
        for part in small:
            cv2.putText(part, path.parent.name[:22], (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, 16)
        rows.append(np.hstack(small))
    half = len(rows) // 2
    sheet = np.hstack([np.vstack(rows[:half]), np.vstack(rows[half : 2 * half])])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()

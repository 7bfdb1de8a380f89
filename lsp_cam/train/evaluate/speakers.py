"""The mouth for voices it never heard: held-out speakers of the synthetic data's rule-driven mouth movement.

There is no footage of these, so that this is no part of the command: `python -m lsp_cam.train.evaluate.speakers`.
"""

from __future__ import annotations

import argparse
import csv
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lsp_cam.backends.choose import open_engine
from lsp_cam.errors import AudioError
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32
from lsp_cam.stages.landmarks import MOUTH_RELATED
from lsp_cam.subject import Subject
from lsp_cam.train.corpus import decode, is_held_out
from lsp_cam.train.evaluate.closure import CLOSED_SHARE, narrowest, open_gap
from lsp_cam.train.evaluate.figures import Array, Row, share, spread
from lsp_cam.train.evaluate.mouth import distances, stacked
from lsp_cam.train.evaluate.phones import hear
from lsp_cam.train.evaluate.speaking import Speaker, lip_gap
from lsp_cam.train.synthetic import MouthTruth, read_mouth_truth

CORPUS = "speechocean762"


@dataclass(frozen=True)
class Said:
    """An utterance of somebody held out: its id, its words, its sound (N,)."""

    name: str
    text: str
    samples: Float32


def utterances(speech: Path, truth: MouthTruth, count: int) -> Iterator[Said]:
    """`count` utterances of held-out speakers, drawn by their names, so that they are always the same ones."""
    with (speech / "utterances.tsv").open(newline="") as lines:
        rows = {r["utterance"]: r for r in csv.DictReader(lines, delimiter="\t") if r["corpus"] == CORPUS}
    held_out = [name for name in truth.spans if is_held_out(truth.speakers[name]) and name in rows]
    sound: dict[str, Float32] = {}
    for name in sorted(held_out, key=lambda n: zlib.crc32(n.encode()))[:count]:
        row = rows[name]
        if row["file"] not in sound:
            sound[row["file"]] = decode(speech / row["file"]).astype(np.float32) / np.float32(32768)
        first = round(float(row["start_s"]) * SAMPLE_RATE_HZ)
        last = first + round(float(row["duration_s"]) * SAMPLE_RATE_HZ)
        yield Said(name, row["text"].lower(), sound[row["file"]][first:last])


def measure(speaker: Speaker, truth: MouthTruth, said: list[Said]) -> Row:
    """Error in mm of the network's 25 points, correlation of the gap, and closures of the face that is shown, at the
    p, b and m of the utterances' words."""
    mean = speaker.pipeline.subject.arrays("face.npz", mean_points=(73, 3))["mean_points"].astype(np.float64)
    errors, ours, true, closed = [], [], [], []
    silent = 0
    for one in said:
        moved = truth.displacement(one.name).reshape(-1, 25, 3).astype(np.float64)
        try:
            spoken = speaker.speak(one.samples)
        except AudioError:
            silent += 1
            continue
        count = min(len(moved), len(spoken.mouth))
        errors.append(distances(stacked(spoken.mouth)[:count], moved[:count]))
        faces = np.repeat(mean[None], count, axis=0)
        faces[:, MOUTH_RELATED] += moved[:count]
        phones = list(hear(one.samples, 0.0, one.text))
        gaps = lip_gap(spoken.faces[:count]), lip_gap(faces)
        closed.append([_closed(gap, open_gap(gap, phones), narrowest(gap, phones)[1]) for gap in gaps])
        ours.append(gaps[0])
        true.append(gaps[1])
    shown, tracked = (np.concatenate([pair[k] for pair in closed]) for k in (0, 1))
    return {
        "utterances": len(errors),
        "without_speech": silent,
        "error_mm": spread(np.concatenate(errors)),
        "gap_correlation": round(float(np.corrcoef(np.concatenate(ours), np.concatenate(true))[0, 1]), 4),
        "closures": len(shown),
        "closed_share": share(shown),
        "true_closed_share": share(tracked),
        "closed_share_where_truth_closes": share(shown[tracked]),
    }


def _closed(gap: Array, wide: float, narrow: Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.asarray(narrow < CLOSED_SHARE * wide)


def main() -> None:
    """Print the figures of a bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=Path("subjects/demo"))
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    truth = read_mouth_truth(options.shared / "data" / "synthetic")
    said = list(utterances(options.shared / "data" / "speech", truth, options.count))
    speaker = Speaker(Subject.open(options.bundle), open_engine(threads=1))
    print(json.dumps(measure(speaker, truth, said), indent=1))


if __name__ == "__main__":
    main()

"""The sample for `make start`: sentences of "kerstin" (CC0) with pauses, as an Ogg Opus file."""

import argparse
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.train.corpus import Corpus, load_corpus
from lsp_cam.train.mouth_data import places

PAUSE_S = 2.0
PART_S = 8.5


def sample(corpus: Corpus, table: Path, skip: int = 40) -> NDArray[np.float32]:
    """About 21 s: two runs of sentences, each followed by a pause of two seconds."""
    spoken = list(places(table, "kerstin").values())[skip:]
    parts: list[NDArray[np.float32]] = []
    for _ in range(2):
        length = 0.0
        while length < PART_S:
            place = spoken.pop(0)
            parts.append(corpus.audio(place.file, place.start_s, place.duration_s))
            parts.append(np.zeros(SAMPLE_RATE_HZ // 4, np.float32))
            length += place.duration_s + 0.25
        parts.append(np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), np.float32))
    return np.concatenate(parts)


def write_opus(path: Path, audio: NDArray[np.float32], bits_per_s: int = 40_000) -> None:
    """Write mono speech (S,) at 16 kHz."""
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE_HZ, layout="mono")
        stream.bit_rate = bits_per_s
        levels = (np.clip(audio, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(levels[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def main() -> None:
    """Write `lsp_cam/assets/sample.ogg`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--out", type=Path, default=Path("lsp_cam/assets/sample.ogg"))
    options = parser.parse_args()
    speech = options.shared / "data" / "speech"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_opus(options.out, sample(load_corpus([speech], options.cache), speech / "utterances.tsv"))


if __name__ == "__main__":
    main()

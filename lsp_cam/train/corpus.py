"""Speech recordings on disk as one cached block of samples, with whole speakers held out."""

import json
import zlib
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from lsp_cam.packets import SAMPLE_RATE_HZ

AUDIO_SUFFIXES = {".opus", ".wav", ".flac", ".ogg", ".mp3", ".m4a"}


def is_held_out(speaker: str, one_in: int = 10) -> bool:
    """Whether a speaker belongs to validation: fixed by the name, so that every network holds out the same people."""
    return zlib.crc32(speaker.encode()) % one_in == 0


def decode(path: Path) -> NDArray[np.int16]:
    """Samples (S,) at 16 kHz mono of any sound file that PyAV reads."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    parts: list[NDArray[np.int16]] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
    parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Corpus:
    """Recordings: `samples` int16 (all files end to end), `spans` file -> (first sample, samples)."""

    samples: NDArray[np.int16]
    spans: dict[str, tuple[int, int]]

    def audio(self, file: str, start_s: float = 0.0, duration_s: float | None = None) -> NDArray[np.float32]:
        """Samples float32 in -1..1 of a file or of a part of it."""
        first, count = self.spans[file]
        skip = min(round(start_s * SAMPLE_RATE_HZ), count)
        take = count - skip if duration_s is None else min(round(duration_s * SAMPLE_RATE_HZ), count - skip)
        return np.asarray(self.samples[first + skip : first + skip + take], np.float32) / np.float32(32768)

    def files(self, held_out: bool) -> list[str]:
        """Files of the speakers to validate on, or of those to train on; a file is one speaker."""
        return [name for name in self.spans if is_held_out(Path(name).stem) == held_out]


def load_corpus(folders: list[Path], cache: Path) -> Corpus:
    """All recordings below `folders`, decoded once into `cache` (a folder) and mapped from there."""
    index, block = cache / "speech.json", cache / "speech.pcm"
    if not index.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _decode_all(folders, index, block)
    spans = {name: (int(a), int(b)) for name, (a, b) in json.loads(index.read_text()).items()}
    return Corpus(np.memmap(block, np.int16, mode="r"), spans)


def _decode_all(folders: list[Path], index: Path, block: Path) -> None:
    """Write all samples to `block`, then their places to `index`; the index comes last and so marks completion."""
    named = [(path, str(path.relative_to(folder))) for folder in folders for path in sorted(folder.rglob("*"))]
    named = [(path, name) for path, name in named if path.suffix.lower() in AUDIO_SUFFIXES]
    spans: dict[str, tuple[int, int]] = {}
    place = 0
    with get_context("spawn").Pool(2) as pool, block.open("wb") as out:
        for (_, name), samples in zip(named, pool.imap(decode, [path for path, _ in named]), strict=True):
            samples.tofile(out)
            spans[name] = (place, len(samples))
            place += len(samples)
    index.write_text(json.dumps(spans))

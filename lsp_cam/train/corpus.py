"""Speech recordings on disk as one cached block of samples, with whole speakers held out."""

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import AudioError
from lsp_cam.packets import SAMPLE_RATE_HZ

AUDIO_SUFFIXES = {".opus", ".wav", ".flac", ".ogg", ".mp3", ".m4a"}
SHORTEST_S = 0.5


def is_held_out(speaker: str, one_in: int = 10) -> bool:
    """Whether a speaker belongs to validation: fixed by the name, so that every network holds out the same people."""
    return zlib.crc32(speaker.encode()) % one_in == 0


def decode(path: Path) -> NDArray[np.int16]:
    """Samples (S,) at 16 kHz mono of any sound file that PyAV reads; AudioError if there are none."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    parts: list[NDArray[np.int16]] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise AudioError("holds no sound")
            for frame in container.decode(audio=0):
                parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
    except (av.FFmpegError, OSError) as error:
        raise AudioError(f"cannot be read ({error.strerror})") from error
    parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    if sum(map(len, parts)) < SHORTEST_S * SAMPLE_RATE_HZ:
        raise AudioError(f"is shorter than {SHORTEST_S} s")
    return np.concatenate(parts)


@dataclass(frozen=True)
class Corpus:
    """Recordings: `samples` int16 (all files end to end), `spans` file -> (first sample, samples).

    `skipped`: files that could not be used, and why.
    """

    samples: NDArray[np.int16]
    spans: dict[str, tuple[int, int]]
    skipped: dict[str, str] = field(default_factory=dict)

    def audio(self, file: str, start_s: float = 0.0, duration_s: float | None = None) -> NDArray[np.float32]:
        """Samples float32 in -1..1 of a file or of a part of it."""
        first, count = self.spans[file]
        skip = min(round(start_s * SAMPLE_RATE_HZ), count)
        take = count - skip if duration_s is None else min(round(duration_s * SAMPLE_RATE_HZ), count - skip)
        return np.asarray(self.samples[first + skip : first + skip + take], np.float32) / np.float32(32768)

    def files(self, held_out: bool, by_folder: bool = False) -> list[str]:
        """Files of the speakers to validate on, or of those to train on; a file is a speaker, or a folder is one."""
        return [name for name in self.spans if is_held_out(speaker_of(name, by_folder)) == held_out]

    @property
    def hours(self) -> float:
        """How much there is."""
        return sum(count for _, count in self.spans.values()) / SAMPLE_RATE_HZ / 3600


def speaker_of(file: str, by_folder: bool) -> str:
    """Who speaks in a file: its own name says it, or that of its folder."""
    return Path(file).parent.as_posix() if by_folder else Path(file).stem


def recordings(folders: Iterable[Path]) -> dict[str, Path]:
    """Sound files below `folders` by their names relative to them; AudioError if there are none."""
    found: dict[str, Path] = {}
    for folder in folders:
        if not folder.is_dir():
            raise AudioError(f"{folder} is not a folder. Name folders that hold recordings of speech.")
        paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in AUDIO_SUFFIXES]
        if not paths:
            known = " ".join(sorted(AUDIO_SUFFIXES))
            raise AudioError(f"There is no sound in {folder}: no file in it or below it ends in {known}.")
        for path in paths:
            name = path.relative_to(folder).as_posix()
            found[name if name not in found else f"{folder.name}/{name}"] = path
    return found


def load_corpus(folders: list[Path], cache: Path) -> Corpus:
    """All recordings below `folders`, decoded once into `cache` (a folder) and mapped from there.

    What is in the cache stays as it is, whatever the folders; AudioError if nothing can be used.
    """
    index, block = cache / "speech.json", cache / "speech.pcm"
    if not index.exists():
        found = recordings(folders)
        cache.mkdir(parents=True, exist_ok=True)
        _decode_all(found, index, block)
    told = json.loads(index.read_text())
    spans = {name: (int(a), int(b)) for name, (a, b) in told["spans"].items()}
    return Corpus(np.memmap(block, np.int16, mode="r"), spans, told["skipped"])


def _decode_or_say(path: Path) -> NDArray[np.int16] | str:
    try:
        return decode(path)
    except AudioError as error:
        return str(error)


def _decode_all(found: dict[str, Path], index: Path, block: Path) -> None:
    """Write all samples to `block`, then their places to `index`; the index comes last and so marks completion."""
    spans: dict[str, tuple[int, int]] = {}
    skipped: dict[str, str] = {}
    place = 0
    with get_context("spawn").Pool(2) as pool, block.open("wb") as out:
        for name, samples in zip(found, pool.imap(_decode_or_say, found.values()), strict=True):
            if isinstance(samples, str):
                skipped[name] = samples
                continue
            samples.tofile(out)
            spans[name] = (place, len(samples))
            place += len(samples)
    if not spans:
        first = "; ".join(f"{name} {why}" for name, why in list(skipped.items())[:3])
        raise AudioError(f"None of the {len(skipped)} recordings can be used: {first}.")
    index.write_text(json.dumps({"spans": spans, "skipped": skipped}))

"""Speech features of many utterances, computed once and kept on disk as half floats."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lsp_cam.stages.mel import mel_rows
from lsp_cam.train.models.speech import HIDDEN, SpeechEncoder


@dataclass(frozen=True)
class Utterance:
    """Something said: its name, its speaker, and how many 60 fps frames of it are wanted."""

    name: str
    speaker: str
    frames: int


@dataclass(frozen=True)
class FeatureStore:
    """Rows (R, 512) float16 of all utterances end to end, two per video frame; spans in video frames."""

    rows: NDArray[np.float16]
    spans: dict[str, tuple[int, int]]

    def frames(self, name: str) -> NDArray[np.float16]:
        """Features (T, 1024) of an utterance, one line per video frame."""
        first, last = self.spans[name]
        return self.rows[2 * first : 2 * last].reshape(-1, 2 * HIDDEN)


@torch.no_grad()
def encode(encoder: SpeechEncoder, mels: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """Features (R, 512) for each mel (R, 80); all start from empty states, and are padded to run together."""
    longest = max(len(mel) for mel in mels)
    batch = np.zeros((len(mels), longest, mels[0].shape[1]), np.float32)
    for k, mel in enumerate(mels):
        batch[k, : len(mel)] = mel
    features = encoder(torch.from_numpy(batch))[0].numpy()
    return [features[k, : len(mel)] for k, mel in enumerate(mels)]


def compute_features(
    encoder: SpeechEncoder,
    utterances: Sequence[Utterance],
    audio_of: Callable[[Utterance], NDArray[np.float32]],
    cache: Path,
    batch: int = 96,
) -> FeatureStore:
    """Features of all utterances, from `cache` if they are there already."""
    index, block = cache.with_suffix(".json"), cache.with_suffix(".f16")
    if not index.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        ordered = sorted(utterances, key=lambda u: u.frames)  # equal lengths together: little padding
        spans: dict[str, tuple[int, int]] = {}
        place = 0
        with block.open("wb") as out:
            for first in range(0, len(ordered), batch):
                part = ordered[first : first + batch]
                mels = [mel_rows(audio_of(u), 2 * u.frames) for u in part]
                for utterance, rows in zip(part, encode(encoder, mels), strict=True):
                    rows.astype(np.float16).tofile(out)
                    spans[utterance.name] = (place, place + utterance.frames)
                    place += utterance.frames
        index.write_text(json.dumps(spans))
    kept = {name: (int(a), int(b)) for name, (a, b) in json.loads(index.read_text()).items()}
    return FeatureStore(np.memmap(block, np.float16, mode="r").reshape(-1, HIDDEN), kept)

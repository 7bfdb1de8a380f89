"""What the mouth network is trained on: speech features and true displacements of the same utterances."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsp_cam.stages.landmarks import MOUTH_RELATED
from lsp_cam.train.augment import augment
from lsp_cam.train.corpus import Corpus, is_held_out
from lsp_cam.train.features import FeatureStore, Utterance
from lsp_cam.train.synthetic import MouthTruth
from lsp_cam.train.tracked import Tracked

CLIP = "clip"


@dataclass(frozen=True)
class Placed:
    """Where an utterance lies in its speaker's recording."""

    file: str
    start_s: float
    duration_s: float


def places(table: Path, corpus_name: str) -> dict[str, Placed]:
    """Utterances of one corpus in `utterances.tsv` by their ids."""
    with table.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter="\t") if row["corpus"] == corpus_name]
    return {row["utterance"]: Placed(row["file"], float(row["start_s"]), float(row["duration_s"])) for row in rows}


class SupervisedSpeech:
    """Sound of the utterances whose mouth movement is known; training speakers are heard through varied microphones."""

    def __init__(self, corpus: Corpus, table: Path, truth: MouthTruth, seed: int) -> None:
        self._corpus = corpus
        self._places = places(table, "speechocean762")
        self._truth = truth
        self._seed = seed

    def utterances(self) -> list[Utterance]:
        """All of them."""
        spans = self._truth.spans
        return [Utterance(name, self._truth.speakers[name], b - a) for name, (a, b) in spans.items()]

    def recorded(self, utterance: Utterance) -> NDArray[np.float32]:
        """Samples (S,) as they were recorded."""
        place = self._places[utterance.name]
        return self._corpus.audio(place.file, place.start_s, place.duration_s)

    def audio(self, utterance: Utterance) -> NDArray[np.float32]:
        """Samples (S,); six in ten training utterances are varied, always in the same way."""
        audio = self.recorded(utterance)
        rng = np.random.default_rng([self._seed, int(utterance.name)])
        varied = not is_held_out(utterance.speaker) and rng.random() < 0.6
        return augment(audio, rng) if varied else audio


def clip_displacement(clip: Tracked) -> NDArray[np.float32]:
    """True displacements (T, 75) of the tracked clip, mm from the neutral face."""
    moved = clip.points[:, list(MOUTH_RELATED)] - clip.neutral[list(MOUTH_RELATED)]
    return moved.reshape(len(moved), -1).astype(np.float32)


@dataclass(frozen=True)
class Pool:
    """Utterances to draw from: features raw and (for some) projected, both (T, 1024), and displacements (T, 75)."""

    raw: list[NDArray[np.float16]]
    projected: list[NDArray[np.float16] | None]
    truth: list[NDArray[np.float32]]

    def draw(self, batch: int, frames: int, look_ahead: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Features (B, frames + look_ahead, 1024) and displacements (B, frames, 75) of random places.

        What reaches beyond an utterance repeats its last row, as the running program does at the end of speech.
        """
        lengths = np.array([len(t) for t in self.truth], float)
        features = np.empty((batch, frames + look_ahead, self.raw[0].shape[1]), np.float32)
        truth = np.empty((batch, frames, self.truth[0].shape[1]), np.float32)
        for k, which in enumerate(rng.choice(len(lengths), batch, p=lengths / lengths.sum())):
            count = len(self.truth[which])
            first = int(rng.integers(0, max(1, count - frames + 1)))
            rows = np.minimum(np.arange(first, first + frames + look_ahead), count - 1)
            projected = self.projected[which]
            chosen = projected if projected is not None and rng.random() < 0.75 else self.raw[which]
            features[k], truth[k] = chosen[rows], self.truth[which][rows[:frames]]
        return torch.from_numpy(features), torch.from_numpy(truth)


def pool_of(names: list[str], store: FeatureStore, projected: FeatureStore | None, truth: MouthTruth) -> Pool:
    """A pool of the named utterances."""
    return Pool(
        [store.frames(name) for name in names],
        [projected.frames(name) if projected and name in projected.spans else None for name in names],
        [truth.displacement(name) for name in names],
    )

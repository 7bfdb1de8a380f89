"""The speech encoder that ships: pre-trained on all the speech, tuned where the mouth's movement is known as well.

torchrun --nproc-per-node 2 -m lsp_cam.train.demo_speech --threads 1
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from lsp_cam.packets import ROWS_PER_FRAME, SAMPLE_RATE_HZ
from lsp_cam.stages.mel import mel_rows
from lsp_cam.train import ranks, speech_tune
from lsp_cam.train.augment import augment
from lsp_cam.train.checkpoint import load_model
from lsp_cam.train.corpus import Corpus, is_held_out, load_corpus
from lsp_cam.train.encoder import load_encoder, save_encoder
from lsp_cam.train.lanes import Spoken
from lsp_cam.train.models.speech import SpeechForesight
from lsp_cam.train.mouth_data import SupervisedSpeech, clip_displacement
from lsp_cam.train.speech_fit import ENCODER_FILE
from lsp_cam.train.synthetic import MouthTruth, read_mouth_truth, read_tracked

FPS = 60.0
PIECE_FRAMES = 360


@dataclass(frozen=True)
class Plan:
    """Where things are; `versions`: how often each utterance is heard, once as it is and then varied."""

    synthetic: Path
    speech: Path
    runs: Path
    versions: int = 2
    clip_versions: int = 4
    train_share: float = 0.8
    unlabelled_s: float = 20.0
    coded: float = 0.1
    seed: int = 1


def at_tempo(
    audio: NDArray[np.float32], truth: NDArray[np.float32], faster: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Samples and displacements (T, 75) of the same utterance said `faster` times as fast, and as much higher."""
    count = round(len(truth) / faster)
    when = np.clip((np.arange(count) + 0.5) * faster - 0.5, 0, len(truth) - 1)
    low = np.minimum(when.astype(int), len(truth) - 2)
    share = (when - low)[:, None].astype(np.float32)
    moved = truth[low] * (1 - share) + truth[low + 1] * share
    return soxr.resample(audio, SAMPLE_RATE_HZ * faster, SAMPLE_RATE_HZ).astype(np.float32), moved


def known_speech(plan: Plan, corpus: Corpus, truth: MouthTruth) -> Iterator[Spoken]:
    """Every utterance of the speakers to train on, in all its versions, and the clip's first part in pieces."""
    speech = SupervisedSpeech(corpus, plan.speech / "utterances.tsv", truth, plan.seed)
    for utterance in speech.utterances():
        if is_held_out(utterance.speaker):
            continue
        as_it_is, moved = speech.recorded(utterance), truth.displacement(utterance.name)
        for version in range(plan.versions):
            audio, displacement = as_it_is, moved
            if version:
                rng = np.random.default_rng([plan.seed, version, int(utterance.name)])
                audio, displacement = at_tempo(as_it_is, moved, rng.uniform(0.87, 1.15))
                audio = augment(audio, rng, plan.coded) if rng.random() < 0.8 else audio
            mel = mel_rows(audio, ROWS_PER_FRAME * len(displacement))
            yield Spoken(mel.astype(np.float16), displacement.astype(np.float16))
    yield from _clip(plan)


def _clip(plan: Plan) -> Iterator[Spoken]:
    displacement = clip_displacement(read_tracked(plan.synthetic).at_rate(FPS))
    last = int(len(displacement) * plan.train_share)
    sound = ranks.cached(lambda: load_corpus([plan.synthetic], plan.runs / "cache" / "clip"))
    audio = sound.audio("audio.wav")
    rng = np.random.default_rng(plan.seed)
    for version in range(plan.clip_versions):
        mel = mel_rows(augment(audio, rng) if version else audio, ROWS_PER_FRAME * len(displacement)).astype(np.float16)
        for first in range(0, last - PIECE_FRAMES, PIECE_FRAMES):
            part = slice(first, first + PIECE_FRAMES)
            yield Spoken(mel[2 * part.start : 2 * part.stop], displacement[part].astype(np.float16))


def unknown_speech(plan: Plan, corpus: Corpus) -> Iterator[Spoken]:
    """Speech in other languages, of the speakers to train on, in pieces."""
    for file in corpus.files(held_out=False):
        if file.startswith("speechocean762"):
            continue
        seconds = corpus.spans[file][1] / SAMPLE_RATE_HZ
        for start_s in np.arange(0.0, seconds - 1, plan.unlabelled_s):
            rows = mel_rows(corpus.audio(file, float(start_s), plan.unlabelled_s))
            yield Spoken(rows.astype(np.float16), None)


def tune(plan: Plan, config: speech_tune.Config) -> Path:
    """Tune the encoder that `lsp-cam train speech` made, or else go on with the one that ships.

    Returns the path of the result in half floats.
    """
    corpus = ranks.cached(lambda: load_corpus([plan.speech], plan.runs / "cache"))
    start, trained = SpeechForesight(), plan.runs / "speech" / "speech_best.pt"
    if trained.exists():
        load_model(trained, start)
    else:
        start.encoder.load_state_dict(load_encoder().state_dict())
    known = list(known_speech(plan, corpus, read_mouth_truth(plan.synthetic)))
    path = speech_tune.fit(known, list(unknown_speech(plan, corpus)), start, config)
    listener = speech_tune.Listener()
    load_model(path, listener)
    if ranks.is_first():
        save_encoder(config.out / ENCODER_FILE, listener.speech.encoder)
    return config.out / ENCODER_FILE


def main() -> None:
    """Tune the encoder (`lsp-cam train speech DATA/speech --out runs/speech` comes before)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--threads", type=int, default=speech_tune.Config.threads)
    parser.add_argument("--steps", type=int, default=speech_tune.Config.steps)
    options = parser.parse_args()
    data = options.shared / "data"
    config = speech_tune.Config(options.runs / "listener", options.steps, threads=options.threads)
    with ranks.together():
        print(tune(Plan(data / "synthetic", data / "speech", options.runs), config))


if __name__ == "__main__":
    main()

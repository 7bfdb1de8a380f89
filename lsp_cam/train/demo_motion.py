"""Motion of the shipped subject: features, feature base, mouth and head pose, from the synthetic data and speech."""

import argparse
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lsp_cam.stages.mel import mel_rows
from lsp_cam.train import encoder as encoders
from lsp_cam.train import mouth_fit, pose_fit
from lsp_cam.train.augment import augment
from lsp_cam.train.checkpoint import load_model
from lsp_cam.train.corpus import is_held_out, load_corpus
from lsp_cam.train.features import FeatureStore, compute_features, encode
from lsp_cam.train.models.mouth import MouthNet
from lsp_cam.train.models.speech import HIDDEN, SpeechEncoder
from lsp_cam.train.mouth_data import Pool, SupervisedSpeech, clip_displacement, pool_of
from lsp_cam.train.neighbours import Projector
from lsp_cam.train.speech_fit import ENCODER_FILE
from lsp_cam.train.speech_tune import Listener
from lsp_cam.train.synthetic import MouthTruth, read_mouth_truth, read_tracked
from lsp_cam.train.tracked import Tracked

FPS = 60.0
BASE_FILE = "feature_base.npy"


@dataclass(frozen=True)
class Plan:
    """Where things are, and how much of everything."""

    shared: Path
    runs: Path
    utterance_share: float = 0.5
    projected_share: float = 0.25
    base_rows: int = 2048
    checks: int = 80
    train_share: float = 0.8
    threads: int = 2
    seed: int = 1
    mouth_steps: int = 950
    mouth_rate: float = 8e-4
    mouth_batch: int = 40
    mouth_frames: int = 100
    shut: float = 2.0
    pose_steps: int = 200
    variants: int = 4

    @property
    def synthetic(self) -> Path:
        """The synthetic data set."""
        return self.shared / "data" / "synthetic"

    @property
    def speech(self) -> Path:
        """The speech corpora."""
        return self.shared / "data" / "speech"


def load_encoder(plan: Plan) -> SpeechEncoder:
    """The speech encoder that `demo_speech` tuned, or the one that ships where nothing was tuned."""
    torch.set_num_threads(plan.threads)
    tuned = plan.runs / "listener" / ENCODER_FILE
    return encoders.load_encoder(tuned if tuned.exists() else None)


def taught_mouth(plan: Plan) -> dict[str, Tensor] | None:
    """The mouth that learned together with the encoder, if it is there."""
    path = plan.runs / "listener" / "listener.pt"
    if not path.exists():
        return None
    listener = Listener()
    load_model(path, listener)
    return listener.mouth.state_dict()


def _share(name: str) -> float:
    """A number in 0..1 that belongs to a name, to choose subsets that never change."""
    return zlib.crc32(name.encode()) % 10_007 / 10_007


@dataclass(frozen=True)
class Material:
    """Everything that both motion networks are trained on; `cache`: for what follows from this encoder."""

    cache: Path
    truth: MouthTruth
    clip: Tracked
    store: FeatureStore
    train: list[str]
    held_out: list[str]
    clip_features: NDArray[np.float32]


def prepare(plan: Plan) -> Material:
    """Features of the chosen utterances and (in variants) of the clip."""
    encoder, truth = load_encoder(plan), read_mouth_truth(plan.synthetic)
    sound = SupervisedSpeech(load_corpus([plan.speech], plan.runs / "cache"), plan.speech / "utterances.tsv", truth, 7)
    spoken = sound.utterances()
    checking = sorted((u for u in spoken if is_held_out(u.speaker)), key=lambda u: _share(u.name))[: plan.checks]
    training = [u for u in spoken if not is_held_out(u.speaker) and _share(u.name) < plan.utterance_share]
    cache = cache_of(plan, encoder)
    store = compute_features(encoder, training + checking, sound.audio, cache / "features")
    clip = read_tracked(plan.synthetic).at_rate(FPS)
    features = clip_features(plan, encoder, len(clip.points), cache / "clip_features.npy")
    return Material(cache, truth, clip, store, [u.name for u in training], [u.name for u in checking], features)


def cache_of(plan: Plan, encoder: SpeechEncoder) -> Path:
    """The folder of what was computed with this encoder and no other."""
    return plan.runs / "cache" / encoders.fingerprint(encoder)


def clip_features(plan: Plan, encoder: SpeechEncoder, frames: int, cached: Path) -> NDArray[np.float32]:
    """Features (V, T, 1024) of the clip's sound: as it is, and as other microphones would have taken it."""
    if cached.exists():
        return np.asarray(np.load(cached), np.float32)
    corpus = load_corpus([plan.synthetic], plan.runs / "cache" / "clip")
    audio, rng = corpus.audio("audio.wav"), np.random.default_rng(plan.seed)
    versions = [audio] + [augment(audio, rng) for _ in range(plan.variants - 1)]
    rows = encode(encoder, [mel_rows(version, 2 * frames) for version in versions])
    features = np.stack(rows).reshape(len(versions), frames, 2 * HIDDEN)
    np.save(cached, features.astype(np.float16))
    return features


def feature_base(plan: Plan, material: Material) -> NDArray[np.float16]:
    """Rows (M, 512) of the training speakers and of the clip, drawn once and kept."""
    path = material.cache / BASE_FILE
    if not path.exists():
        rng = np.random.default_rng(plan.seed)
        spans = np.array([material.store.spans[name] for name in material.train])
        which = rng.choice(len(spans), plan.base_rows, p=np.diff(spans)[:, 0] / np.diff(spans).sum())
        places = (2 * (spans[which, 0] + rng.random(len(which)) * np.diff(spans)[which, 0])).astype(int)
        rows = np.asarray(material.store.rows[np.sort(places)])
        np.save(path, rows)
    return np.asarray(np.load(path), np.float16)


def project_some(plan: Plan, material: Material, project: Projector) -> FeatureStore:
    """Projected features of a share of the training utterances and of those that check (kept on disk)."""
    chosen = [n for n in material.train if _share(n + "p") < plan.projected_share] + material.held_out
    index, block = material.cache / "projected.json", material.cache / "projected.f16"
    if not index.exists():
        spans, place = {}, 0
        with block.open("wb") as out:
            for name in chosen:
                frames = material.store.frames(name)
                project(frames.reshape(-1, HIDDEN).astype(np.float32)).astype(np.float16).tofile(out)
                spans[name] = (place, place + len(frames))
                place += len(frames)
        index.write_text(json.dumps(spans))
    kept = {name: (int(a), int(b)) for name, (a, b) in json.loads(index.read_text()).items()}
    return FeatureStore(np.memmap(block, np.float16, mode="r").reshape(-1, HIDDEN), kept)


def train_mouth(plan: Plan, material: Material) -> Path:
    """Train the mouth on many speakers and on the clip."""
    project = Projector(feature_base(plan, material).astype(np.float32))
    projected = project_some(plan, material, project)
    train = pool_of(material.train, material.store, projected, material.truth)
    held_out = pool_of(material.held_out, material.store, projected, material.truth)
    train = _with_clip(plan, material, project, train)
    config = mouth_fit.Config(
        plan.runs / "mouth",
        plan.mouth_steps,
        plan.mouth_batch,
        plan.mouth_frames,
        plan.mouth_rate,
        shut=plan.shut,
        seed=plan.seed,
        threads=plan.threads,
    )
    return mouth_fit.fit(train, held_out, config, taught_mouth(plan))


def _with_clip(plan: Plan, material: Material, project: Projector, pool: Pool) -> Pool:
    """The pool and the clip's first part, in every variant of its sound."""
    last = int(len(material.clip.points) * plan.train_share)
    truth = clip_displacement(material.clip)[:last]
    for features, moved in zip(material.clip_features, clip_projected(material, project), strict=True):
        pool.raw.append(features[:last].astype(np.float16))
        pool.projected.append(moved[:last].astype(np.float16))
        pool.truth.append(truth)
    return pool


def clip_projected(material: Material, project: Projector) -> NDArray[np.float32]:
    """Projected features (V, T, 1024) of the clip's sound."""
    cached = material.cache / "clip_projected.npy"
    if not cached.exists():
        moved = [project(f.reshape(-1, HIDDEN)).reshape(f.shape) for f in material.clip_features]
        np.save(cached, np.stack(moved).astype(np.float16))
    return np.asarray(np.load(cached), np.float32)


def train_pose(plan: Plan, material: Material) -> Path:
    """Train the head pose on the clip, on features as the running program gives them: projected, and raw."""
    project = Projector(feature_base(plan, material).astype(np.float32))
    moved = clip_projected(material, project)
    motion = pose_fit.motion_of(material.clip, np.concatenate([moved, material.clip_features]))
    return pose_fit.fit(motion, pose_fit.Config(plan.runs / "pose", plan.pose_steps, threads=plan.threads))


def load_base(plan: Plan) -> NDArray[np.float16]:
    """The feature base that goes with the encoder, drawn when the motion networks were trained."""
    return np.asarray(np.load(cache_of(plan, load_encoder(plan)) / BASE_FILE), np.float16)


def load_mouth(plan: Plan) -> MouthNet:
    """The trained mouth network."""
    model = MouthNet()
    load_model(plan.runs / "mouth" / "mouth_best.pt", model)
    return model.eval()


def main() -> None:
    """Train both motion networks (the speech encoder must be there)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--threads", type=int, default=Plan.threads)
    parser.add_argument("--mouth-steps", type=int, default=Plan.mouth_steps)
    parser.add_argument("--pose-steps", type=int, default=Plan.pose_steps)
    parser.add_argument("--only", choices=("features", "mouth", "pose"))
    o = parser.parse_args()
    plan = Plan(o.shared, o.runs, threads=o.threads, mouth_steps=o.mouth_steps, pose_steps=o.pose_steps)
    material = prepare(plan)
    if o.only in (None, "pose"):
        train_pose(plan, material)
    if o.only in (None, "mouth"):
        train_mouth(plan, material)


if __name__ == "__main__":
    main()

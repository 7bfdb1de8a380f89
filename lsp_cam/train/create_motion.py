"""The stages of a creation that learn motion: speech features, feature base, mouth, head pose."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from lsp_cam.packets import frames_in
from lsp_cam.stages.mel import mel_rows
from lsp_cam.train import mouth_fit, pose_fit
from lsp_cam.train.augment import augment
from lsp_cam.train.corpus import decode
from lsp_cam.train.encoder import load_encoder
from lsp_cam.train.features import encode
from lsp_cam.train.job import Job
from lsp_cam.train.models.pose import RECEPTIVE_FIELD
from lsp_cam.train.models.speech import HIDDEN
from lsp_cam.train.mouth_data import Pool, clip_displacement
from lsp_cam.train.neighbours import Projector
from lsp_cam.train.prepare.timeline import TIMELINE, Piece, Timeline, end_to_end, part_of, pieces
from lsp_cam.train.prepare.work import Facts, write_bytes
from lsp_cam.train.tracked import load_tracked

Tell = Callable[[float], None]
Features = NDArray[np.float16]


def features_stage(job: Job, tell: Tell) -> Facts:
    """`features.npy` (V, T, 1024): of the sound as it is and as other microphones would have taken it; the base."""
    audio = decode(job.work.path("audio.wav")).astype(np.float32) / np.float32(32768)
    torch.set_num_threads(job.request.threads)
    encoder, rng = load_encoder(), np.random.default_rng(job.effort.seed)
    frames = frames_in(len(audio))
    made = []
    for number in range(job.effort.variants):
        heard = audio if number == 0 else augment(audio, rng)
        rows = encode(encoder, [mel_rows(heard, 2 * frames)])[0]
        made.append(rows.reshape(frames, 2 * HIDDEN).astype(np.float16))
        tell((number + 1) / job.effort.variants)
    _save(job, "features.npy", np.stack(made))
    plain = np.concatenate([made[0][p.first : p.first + len(p.clip.points)] for p in _split(job)[0]])
    base = plain.reshape(-1, HIDDEN)
    chosen = np.sort(rng.choice(len(base), min(job.effort.base_rows, len(base)), replace=False))
    _save(job, "feature_base.npy", base[chosen])
    project = Projector(base[chosen].astype(np.float32))
    _save(job, "projected.npy", np.stack([_projected(project, version) for version in made]))
    return {"frames": frames, "base_rows": len(chosen)}


def mouth_stage(job: Job, tell: Tell) -> Facts:
    """`mouth/mouth_best.pt`."""
    train, held_out = (_pool(job, part) for part in _split(job))
    config = mouth_fit.Config(
        job.work.path("mouth"), job.effort.mouth_steps, threads=job.request.threads, seed=job.effort.seed,
        frames=min(mouth_fit.Config.frames, max(len(truth) for truth in train.truth)),
    )  # fmt: skip
    best = mouth_fit.fit(train, held_out, config, tell=tell)
    return {"best": best.name}


def pose_stage(job: Job, tell: Tell) -> Facts:
    """`pose/pose_best.pt`."""
    found = _calmed(_pieces(job))
    versions = [*np.load(job.work.path("projected.npy")), *np.load(job.work.path("features.npy"))]
    along = [np.concatenate([v[p.first : p.first + len(p.clip.points)] for p in found]) for v in versions]
    motion = pose_fit.motion_of(end_to_end(found), np.stack(along).astype(np.float32), calm=None)
    train = int(len(motion.poses) * job.effort.train_share)
    frames = min(pose_fit.Config.frames, train - RECEPTIVE_FIELD)
    config = pose_fit.Config(
        job.work.path("pose"), job.effort.pose_steps, frames=frames, threads=job.request.threads, seed=job.effort.seed,
        train_share=job.effort.train_share,
    )  # fmt: skip
    best = pose_fit.fit(motion, config, tell)
    return {"best": best.name}


def _pieces(job: Job) -> list[Piece]:
    """The clip's motion at 60 fps, as far as it is heard: the sound's last frame may be a part of one."""
    clip, timeline = load_tracked(job.work.path("tracked.npz")), Timeline.load(job.work.path(TIMELINE))
    heard = np.load(job.work.path("features.npy"), mmap_mode="r").shape[1]
    found = pieces(clip, timeline)
    return [Piece(p.first, part_of(p.clip, 0, heard - p.first)) for p in found if p.first < heard]


def _split(job: Job) -> tuple[list[Piece], list[Piece]]:
    """Pieces to learn from and pieces to validate with: the clip's first part, and the rest."""
    found = _pieces(job)
    wanted = job.effort.train_share * sum(len(piece.clip.points) for piece in found)
    train: list[Piece] = []
    held_out: list[Piece] = []
    for piece in found:
        count = len(piece.clip.points)
        here = int(np.clip(wanted, 0, count))
        wanted -= count
        if here:
            train.append(Piece(piece.first, part_of(piece.clip, 0, here)))
        if here < count:
            held_out.append(Piece(piece.first + here, part_of(piece.clip, here, count)))
    return train, held_out


def _pool(job: Job, found: list[Piece]) -> Pool:
    """Pieces with every version of their features, raw and projected."""
    pool = Pool([], [], [])
    both = np.load(job.work.path("features.npy")), np.load(job.work.path("projected.npy"))
    for heard, projected in zip(*both, strict=True):
        for piece in found:
            there = slice(piece.first, piece.first + len(piece.clip.points))
            pool.raw.append(heard[there])
            pool.projected.append(projected[there])
            pool.truth.append(clip_displacement(piece.clip))
    return pool


def _projected(project: Projector, version: Features) -> Features:
    """Features (T, 1024) rebuilt from their neighbours in the base."""
    rows = version.reshape(-1, HIDDEN).astype(np.float32)
    return project(rows).reshape(version.shape).astype(np.float16)


def _calmed(found: list[Piece]) -> list[Piece]:
    """Pieces whose heads are steadied each by itself and then brought to a common mean, so that a cut is no jerk."""
    calm, mean = pose_fit.Calm(), end_to_end(found)
    common = np.concatenate([mean.angles, mean.translation], axis=1).mean(axis=0)
    out = []
    for piece in found:
        six = calm(np.concatenate([piece.clip.angles, piece.clip.translation], axis=1), piece.clip.fps)
        six = six - six.mean(axis=0) + common
        out.append(Piece(piece.first, replace(piece.clip, angles=six[:, :3], translation=six[:, 3:])))
    return out


def _save(job: Job, name: str, array: NDArray[np.float16]) -> None:
    made = io.BytesIO()
    np.save(made, array)  # of a full disk it would not say that it is full
    write_bytes(job.work.path(name), made.getbuffer())

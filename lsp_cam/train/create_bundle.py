"""The renderer is trained, and the bundle written."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lsp_cam.subject import npz_bytes, write_bundle
from lsp_cam.train import bundle, render_fit
from lsp_cam.train.corpus import decode
from lsp_cam.train.encoder import load_encoder
from lsp_cam.train.job import Job
from lsp_cam.train.maps import tracked_shoulders
from lsp_cam.train.prepare.speech import quiet_frames, voiced
from lsp_cam.train.prepare.timeline import TIMELINE, Piece, Timeline, end_to_end, pieces
from lsp_cam.train.prepare.work import Facts
from lsp_cam.train.render_data import Footage, open_footage
from lsp_cam.train.render_gan import GanConfig
from lsp_cam.train.tracked import load_tracked

Tell = Callable[[float], None]
FEWEST_QUIET = 30


def renderer_stage(job: Job, tell: Tell) -> Facts:
    """`render/render_best.pt`."""
    request = job.request
    config = render_fit.Config(
        job.work.path("render"), request.renderer, job.effort.render_steps, request.minutes, device=request.device,
        train_share=job.effort.train_share, threads=request.threads, seed=job.effort.seed,
        lite=job.effort.lite, gan=GanConfig(vgg=request.vgg),
    )  # fmt: skip
    best = render_fit.fit(footage_of(job), config, job.say)
    return {"best": best.name}


def export_stage(job: Job, tell: Tell) -> Facts:
    """`bundle/`: networks as ONNX files, arrays, pictures, manifest."""
    clip, request, root = load_tracked(job.work.path("tracked.npz")), job.request, job.work.path("bundle")
    shutil.rmtree(root, ignore_errors=True)
    found = pieces(clip, Timeline.load(job.work.path(TIMELINE)))
    motion = end_to_end(found)
    rendered = render_fit.files(job.work.path("render/render_best.pt"))
    pose = torch.load(job.work.path("pose/pose_best.pt"), weights_only=True)["model"]
    mouth = torch.load(job.work.path("mouth/mouth_best.pt"), weights_only=True)["model"]
    base = np.load(job.work.path("feature_base.npy"))
    files = {
        **bundle.motion_networks(load_encoder().state_dict(), mouth, pose),
        **rendered,
        **_pictures(job, rendered),
        "manifold.npz": npz_bytes(feature_base=base),
        "face.npz": npz_bytes(**bundle.face_arrays(motion, _quiet(job, found))),
        "camera.npz": npz_bytes(**bundle.camera_arrays(clip)),
        "body.npz": npz_bytes(shoulders=tracked_shoulders(clip)[bundle.middle_frame(clip)].astype(np.float32)),
    }
    manifest = {
        "name": request.name,
        "title": request.name,
        "licence": request.licence,
        "consent": request.consent.model_dump(),
        "provenance": _provenance(job),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": bundle.settings(motion, 1.0, request.size),
    }
    subject = write_bundle(root, manifest, files)
    subject.verify()
    return {"bytes": sum(entry.bytes for entry in subject.manifest.files.values())}


def footage_of(job: Job) -> Footage:
    """The tracked clip with its pictures."""
    size = job.request.size
    frames = np.memmap(job.work.path("kept.rgb"), np.uint8, mode="r").reshape(-1, size, size, 3)
    return open_footage(load_tracked(job.work.path("tracked.npz")), frames)


def samples_of(job: Job) -> NDArray[np.float32]:
    """The sound (S,) of the whole video in -1..1."""
    return np.asarray(decode(job.work.path("audio.wav")), np.float32) / np.float32(32768)


def _pictures(job: Job, rendered: dict[str, bytes]) -> dict[str, bytes]:
    """Candidate images and preview, except for what the renderer brings along."""
    footage = footage_of(job)
    own = bundle.pictures(footage.clip, footage.frames)
    brings = {Path(name).stem for name in rendered if name.startswith("candidates/")}
    return {name: data for name, data in own.items() if not (brings and name.startswith("candidates/"))}


def _quiet(job: Job, found: list[Piece]) -> NDArray[np.int64]:
    """Frames of the pieces, laid end to end, in which nobody speaks; all of them where there is no silence."""
    silent = np.zeros(int(found[-1].first + len(found[-1].clip.points)) + 1, bool)
    quiet = quiet_frames(voiced(samples_of(job)))
    silent[quiet[quiet < len(silent)]] = True
    inside = np.concatenate([silent[piece.first : piece.first + len(piece.clip.points)] for piece in found])
    return np.flatnonzero(inside) if inside.sum() >= FEWEST_QUIET else np.arange(len(inside))


def _provenance(job: Job) -> str:
    """Where pictures and networks come from, in sentences."""
    facts, made = job.work.facts("inspect"), job.work.facts("track")
    names = ", ".join(path.name for path in job.request.videos)
    return (
        f"Made by lsp-cam subject create from {names}: {facts['seconds']:.0f} s at {facts['fps']:g} pictures a second. "
        f"Focal length {made['focal_px']:.0f} px, sure to {made['focal_deviation']:.0%}. The speech encoder ships with "
        "lsp-cam and was trained on public speech corpora, which its documentation names."
    )

"""The last stage of a creation: the bundle speaks and paints as what was trained does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lsp_cam.backends.choose import open_engine
from lsp_cam.errors import ModelError
from lsp_cam.packets import SAMPLE_RATE_HZ, LandmarkFrame
from lsp_cam.pipeline import Pipeline
from lsp_cam.stages.pose import POSE
from lsp_cam.stream import chunked, run_offline
from lsp_cam.subject import Subject
from lsp_cam.train import mouth_fit
from lsp_cam.train.checkpoint import load_model
from lsp_cam.train.create_bundle import footage_of, samples_of
from lsp_cam.train.encoder import load_encoder
from lsp_cam.train.features import encode
from lsp_cam.train.job import Job
from lsp_cam.train.models.mouth import MouthNet
from lsp_cam.train.models.pose import LOOK_AHEAD, RECEPTIVE_FIELD, PoseNet
from lsp_cam.train.prepare.work import Facts
from lsp_cam.train.quality import psnr

Array = NDArray[np.float32]
SPOKEN_S = 4.0
WORSE_DB = 1.0  # that a bundle's pictures may be than those of the training's own validation
FURTHEST = {"features": 0.05, "mouth_mm": 0.5, "head_deg": 0.1, "head_mm": 0.3, "head_sigma": 0.1}
"""What eight bits for weights, and the state that rounding leaves behind, may change. See `parity`."""


def check_stage(job: Job, tell: Callable[[float], None]) -> Facts:
    """The bundle speaks the last seconds of the video as the trained networks do, and renders what was held out as well
    as its training did. ModelError if not."""
    subject = Subject.open(job.work.path("bundle"))
    away = parity(job, subject)
    for name, most in FURTHEST.items():
        if not away[name] <= most:
            raise ModelError(f"The bundle does not speak as trained: {name} is off by {away[name]:.3g}. {_AGAIN}")
    ours = rendered_psnr(job, Pipeline(subject, open_engine("auto", job.request.threads)))
    state = torch.load(job.work.path("render/render_best.pt"), weights_only=True, map_location="cpu")
    trained = float(state["scores"]["psnr_db"])
    if not ours >= trained - WORSE_DB:
        raise ModelError(f"The bundle's pictures are worse (PSNR {ours:.1f} dB) than trained ({trained:.1f}). {_AGAIN}")
    job.say(f"Held-out pictures: PSNR {ours:.1f} dB; the bundle's mouth is {away['mouth_mm']:.3f} mm from the trained.")
    return {"psnr_db": ours, "training_psnr_db": trained, "parity": away}


_AGAIN = (
    "Delete marks/export.json in the work folder and run the command again with --resume: another version of lsp-cam "
    "may have written the bundle. If it comes again, it is a fault of lsp-cam and not of the video: please report it."
)


@torch.no_grad()
def parity(job: Job, subject: Subject) -> dict[str, float]:
    """How far the bundle's networks are from the trained ones when they are given the same: the video's last seconds.

    `features`: rms of the speech features' error, in parts of their deviation; `mouth_mm`: mean distance of points;
    `head_deg`, `head_mm`, `head_sigma`: mean difference of the angles and of the translation that a step foresees, and
    of the logarithms of how unsure it is.
    """
    kept: dict[str, list[Any]] = {}
    engine = open_engine("auto", job.request.threads)
    pipeline = Pipeline(subject, engine, tap=lambda name, packet: kept.setdefault(name, []).append(packet))
    samples = samples_of(job)[-int(SPOKEN_S * SAMPLE_RATE_HZ) :]
    for _ in run_offline(pipeline.motion, chunked(samples, SAMPLE_RATE_HZ)):
        pass
    mel, features = (np.concatenate([packet.rows for packet in kept[name]]) for name in ("mel", "speech"))
    wanted = encode(load_encoder(), [mel])[0]
    heard = np.array([packet.rows for packet in kept["manifold"]]).reshape(len(kept["manifold"]), -1)
    mouth, pose = MouthNet(), PoseNet()
    load_model(job.work.path("mouth/mouth_best.pt"), mouth)
    load_model(job.work.path("pose/pose_best.pt"), pose)
    moved = np.array([packet.points.ravel() for packet in kept["mouth"]])
    foreseen = np.array([packet.raw for packet in kept["pose"]])
    held = np.array([packet.sample for packet in kept["pose"]])
    moved_away = np.abs(foreseen - foreseen_by(pose.eval(), heard, held))
    return {
        "features": float(np.sqrt(np.square(features - wanted).mean()) / wanted.std()),
        "mouth_mm": mouth_fit.error_mm(mouth_fit.predict(mouth.eval(), heard), moved),
        "head_deg": float(moved_away[:, 1:4].mean()),
        "head_mm": float(moved_away[:, 4:7].mean()),
        "head_sigma": float(moved_away[:, 1 + POSE :].mean()),
    }


def foreseen_by(model: PoseNet, heard: Array, poses: Array) -> Array:
    """`raw` (T, 25) of the trained network, whole, for features (T, 1024) and the poses (T, 12) that came of it."""
    before, after = RECEPTIVE_FIELD - 1, LOOK_AHEAD
    rows = np.clip(np.arange(-before, len(heard) + after), 0, len(heard) - 1)
    past = np.concatenate([np.zeros((before + after + 1, POSE), np.float32), poses[:-1]])
    raw = model(torch.from_numpy(heard[rows])[None], torch.from_numpy(past)[None])[0]
    return np.asarray(raw[before + after :].numpy(), np.float32)


def rendered_psnr(job: Job, pipeline: Pipeline) -> float:
    """PSNR in dB of held-out pictures as the bundle renders them, moved as tracked."""
    footage, scores = footage_of(job), []
    first = int(len(footage.frames) * job.effort.train_share)
    for k in np.linspace(first, len(footage.frames) - 1, job.effort.checked_frames).astype(int):
        drawn = LandmarkFrame(0, footage.points[k].astype(np.float32), footage.shoulders[k].astype(np.float32))
        scores.append(psnr(pipeline.render(pipeline.draw(drawn)).pixels.astype(float), footage.frames[k].astype(float)))
    return float(np.mean(scores))

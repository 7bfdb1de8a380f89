"""The shipped subject, `subjects/demo/`: a bundle of what `speech_fit`, `demo_motion` and `render_fit` have learned."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lsp_cam.subject import Subject, npz_bytes, write_bundle
from lsp_cam.train import render_fit
from lsp_cam.train.candidates import candidate_frames
from lsp_cam.train.closed_mouth import closed_mouth
from lsp_cam.train.demo_motion import FPS, Plan, load_base, load_encoder, load_mouth
from lsp_cam.train.export import mouth_onnx, pose_onnx, pose_speech_onnx, speech_onnx
from lsp_cam.train.halve import halved
from lsp_cam.train.landmarks import EYES_AND_BROWS
from lsp_cam.train.maps import SHOULDER_SHARE
from lsp_cam.train.synthetic import cache_footage, read_tracked
from lsp_cam.train.tracked import Tracked
from lsp_cam.trust.consent import nobody

FACING_DEG = 180.0
EYE_SECONDS = 60
LICENCE = (
    "CC0-1.0 for the pictures, the movement and the arrays. The networks were trained on speech under the licences "
    "that the provenance names; whoever passes them on names these corpora too."
)
PROVENANCE = (
    "Pictures and movement: a rendered person who does not exist (a morph of a CC0 base mesh), driven by rules; CC0. "
    "Voice of that footage: 'kerstin', German, CC0. The mouth was trained on rule-driven movement for utterances of "
    "speechocean762 (Zhang et al. 2021, free for commercial and non-commercial use), the feature base is drawn from "
    "them. The speech encoder was trained on speechocean762; SMC Malayalam Speech Corpus (CC BY-SA 4.0, Swathanthra "
    "Malayalam Computing); Picovoice speech-to-intent (Apache-2.0, Picovoice); Breton Roadennou (CC BY); Arabic Speech "
    "Commands (CC BY 4.0); kerstin (CC0)."
)
CONSENT = nobody(
    "A person who does not exist (computer-generated).",
    "The demo subject shows no real person, so that there is nobody whose consent would be needed.",
)


def silent_frames(phones: Path, frames: int, fps: float, margin_s: float = 0.12) -> NDArray[np.int64]:
    """Frames well inside the pauses of the clip."""
    when = (np.arange(frames) + 0.5) / fps
    quiet = np.zeros(frames, bool)
    for name, start, end in json.loads(phones.read_text())["phones"]:
        quiet |= (name == "SIL") & (when > start + margin_s) & (when < end - margin_s)
    return np.flatnonzero(quiet)


def face_arrays(clip: Tracked, quiet: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """`face.npz` from a clip at 60 fps: displacements are about the neutral face, all else rests at its mean."""
    mean, silent = clip.points.mean(axis=0), clip.points[quiet]
    track = clip.points[: int(EYE_SECONDS * FPS), list(EYES_AND_BROWS)]
    return {
        "mean_points": clip.neutral.astype(np.float32),
        "rest_points": mean.astype(np.float32),
        "eye_track": track.astype(np.float32).round(3),
        "eye_indices": np.array(EYES_AND_BROWS, np.int32),
        "closed_mouth": closed_mouth(silent, silent.mean(axis=0)).astype(np.float32),
    }


def camera_arrays(clip: Tracked) -> dict[str, NDArray[Any]]:
    """`camera.npz`; lengths are millimetres throughout, so that the scale is 1."""
    return {
        "intrinsics": clip.intrinsics.astype(np.float32),
        "scale": np.array(1.0, np.float32),
        "mean_translation": clip.translation.mean(axis=0).astype(np.float32),
        "shoulders": clip.shoulders[0].astype(np.float32),
        "shoulders_translation": clip.translation[0].astype(np.float32),
    }


def networks(plan: Plan) -> dict[str, bytes]:
    """The networks as ONNX files: of those that carry state large weights in eight bits, all else in half floats."""
    pose = torch.load(plan.runs / "pose" / "pose_best.pt", weights_only=True)["model"]
    files = {
        "speech.onnx": speech_onnx(load_encoder(plan).state_dict(), eight_bit=True),
        "mouth.onnx": mouth_onnx(load_mouth(plan).state_dict(), eight_bit=True),
        "pose_speech.onnx": pose_speech_onnx(pose, eight_bit=True),
        "pose.onnx": pose_onnx(pose, eight_bit=True),
    }
    rendered = render_fit.files(plan.runs / "render" / "render_best.pt")
    return {**{name: halved(data) for name, data in files.items()}, **rendered}


def pictures(clip: Tracked, frames: NDArray[np.uint8]) -> dict[str, bytes]:
    """The candidate images, and the preview: the frame nearest to the mean pose."""
    pose = np.concatenate([clip.angles, clip.translation], axis=1)
    nearest = int(np.abs((pose - pose.mean(axis=0)) / pose.std(axis=0)).sum(axis=1).argmin())
    numbers = candidate_frames(clip.points, clip.angles)
    files = {f"candidates/{k}.jpg": _jpeg(frames[number], 92) for k, number in enumerate(numbers)}
    return {**files, "preview.jpg": _jpeg(frames[nearest], 90)}


def _jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    made, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert made, "OpenCV cannot write JPEG"
    return data.tobytes()


def settings(clip: Tracked, blend: float) -> dict[str, dict[str, Any]]:
    """Per-stage settings; `blend`: how much of the manifold projection is used."""
    turned = clip.angles.mean(axis=0) - np.array([FACING_DEG, 0, 0])
    return {
        "manifold": {"neighbours": 10, "blend": blend},
        "mouth": {"look_ahead_frames": 18},
        "shape": {"smooth_frames": 1.0},
        "pose": {"look_ahead_frames": 15, "sigma_scale": 0.3},
        "head": {
            "smooth_rotation_frames": 5.0,
            "smooth_translation_frames": 10.0,
            "mean_rotation_deg": [round(float(angle), 4) for angle in turned],
        },
        "project": {"shoulder_amplify": SHOULDER_SHARE},
        "render": {"size": 512},
    }


def build(plan: Plan, root: Path, blend: float) -> Subject:
    """Write the bundle at `root`."""
    tracked = read_tracked(plan.synthetic)
    clip = tracked.at_rate(FPS)
    frames = cache_footage(plan.synthetic / "footage.mp4", plan.runs / "cache" / "footage.rgb")
    base = load_base(plan)
    quiet = silent_frames(plan.synthetic / "phones.json", len(clip.points), FPS)
    files = {
        **networks(plan),
        "manifold.npz": npz_bytes(feature_base=base),
        "face.npz": npz_bytes(**face_arrays(clip, quiet)),
        "camera.npz": npz_bytes(**camera_arrays(clip)),
        **pictures(tracked, frames),
    }
    manifest = {
        "name": "demo",
        "title": "Demo (a rendered person who does not exist)",
        "licence": LICENCE,
        "consent": CONSENT.model_dump(),
        "provenance": PROVENANCE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings(clip, blend),
    }
    return write_bundle(root, manifest, files)


def main() -> None:
    """Build the bundle from what lies in `runs/`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("subjects/demo"))
    parser.add_argument("--blend", type=float, default=1.0)
    options = parser.parse_args()
    subject = build(Plan(options.shared, options.runs, threads=1), options.out, options.blend)
    subject.verify()
    print(f"{subject.root}: {sum(entry.bytes for entry in subject.manifest.files.values()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

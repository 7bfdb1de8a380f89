"""The shipped subject, `subjects/demo/`: a bundle of what `speech_fit`, `demo_motion` and `render_fit` have learned."""

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lsp_cam.subject import Subject, npz_bytes, write_bundle
from lsp_cam.train import render_fit
from lsp_cam.train.bundle import camera_arrays, face_arrays, motion_networks, pictures, settings
from lsp_cam.train.demo_motion import FPS, Plan, load_base, load_encoder, load_mouth
from lsp_cam.train.synthetic import cache_footage, read_tracked
from lsp_cam.train.tracked import Tracked
from lsp_cam.trust.consent import nobody

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
CLOSE_SMALL_MM = (1.25, 2.5)  # its mouth has learned to shut (`demo_motion.Plan.shut`) and needs less help
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


def motion(plan: Plan) -> dict[str, bytes]:
    """The networks of motion as ONNX files."""
    pose = torch.load(plan.runs / "pose" / "pose_best.pt", weights_only=True)["model"]
    return motion_networks(load_encoder(plan).state_dict(), load_mouth(plan).state_dict(), pose)


def renderer(plan: Plan, clip: Tracked, root: Path) -> dict[str, bytes]:
    """The renderer, and the camera for which it was trained; those of the bundle at `root` if none is trained."""
    trained = plan.runs / "render" / "render_best.pt"
    if trained.exists():
        return {**render_fit.files(trained), "camera.npz": npz_bytes(**camera_arrays(clip))}
    return {name: (root / name).read_bytes() for name in ("render.onnx", "camera.npz")}


def build(plan: Plan, root: Path, blend: float) -> Subject:
    """Write the bundle at `root`."""
    tracked = read_tracked(plan.synthetic)
    clip = tracked.at_rate(FPS)
    frames = cache_footage(plan.synthetic / "footage.mp4", plan.runs / "cache" / "footage.rgb")
    base = load_base(plan)
    quiet = silent_frames(plan.synthetic / "phones.json", len(clip.points), FPS)
    files = {
        **motion(plan),
        **renderer(plan, clip, root),
        "manifold.npz": npz_bytes(feature_base=base),
        "face.npz": npz_bytes(**face_arrays(clip, quiet)),
        **pictures(tracked, frames),
    }
    manifest = {
        "name": "demo",
        "title": "Demo (a rendered person who does not exist)",
        "licence": LICENCE,
        "consent": CONSENT.model_dump(),
        "provenance": PROVENANCE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings(clip, blend, 512, CLOSE_SMALL_MM),
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

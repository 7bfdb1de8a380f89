"""What a bundle is made of, from a tracked clip, its pictures, and trained networks."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.train.candidates import candidate_frames
from lsp_cam.train.closed_mouth import closed_mouth
from lsp_cam.train.export import mouth_onnx, pose_onnx, pose_speech_onnx, speech_onnx
from lsp_cam.train.graph import State
from lsp_cam.train.halve import halved
from lsp_cam.train.landmarks import EYES_AND_BROWS
from lsp_cam.train.maps import SHOULDER_SHARE
from lsp_cam.train.tracked import Tracked

FACING_DEG = 180.0
EYE_SECONDS = 60
RECENTRE_S = 3.0  # slower than a nod; of 2 to 20 s tried on the demo, the less the nearer to the true head
CLOSE_SMALL_MM = (1.5, 3.5)  # half as many p, b and m again close; the gap is 2 % more wrong (docs/measurements.md)


def face_arrays(clip: Tracked, quiet: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """`face.npz` from a clip: displacements are about the neutral face, all else rests at its mean.

    quiet: frames of silence, of which the closed mouth is made.
    """
    mean, silent = clip.points.mean(axis=0), clip.points[quiet]
    track = clip.points[: int(EYE_SECONDS * clip.fps), list(EYES_AND_BROWS)]
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
        "shoulders": clip.shoulders.mean(axis=0).astype(np.float32),
        "shoulders_translation": clip.translation.mean(axis=0).astype(np.float32),
    }


def motion_networks(encoder: State, mouth: State, pose: State) -> dict[str, bytes]:
    """The networks that carry state as ONNX files: large weights in eight bits, all else in half floats."""
    files = {
        "speech.onnx": speech_onnx(encoder, eight_bit=True),
        "mouth.onnx": mouth_onnx(mouth, eight_bit=True),
        "pose_speech.onnx": pose_speech_onnx(pose, eight_bit=True),
        "pose.onnx": pose_onnx(pose, eight_bit=True),
    }
    return {name: halved(data) for name, data in files.items()}


def pictures(clip: Tracked, frames: NDArray[np.uint8]) -> dict[str, bytes]:
    """The candidate images, and the preview: the frame nearest to the mean pose."""
    numbers = candidate_frames(clip.points, clip.angles)
    files = {f"candidates/{k}.jpg": jpeg(frames[number], 92) for k, number in enumerate(numbers)}
    return {**files, "preview.jpg": jpeg(frames[middle_frame(clip)], 90)}


def middle_frame(clip: Tracked) -> int:
    """The frame whose pose is nearest to the mean one."""
    pose = np.concatenate([clip.angles, clip.translation], axis=1)
    return int(np.abs((pose - pose.mean(axis=0)) / (pose.std(axis=0) + 1e-9)).sum(axis=1).argmin())


def jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    """A picture (H, W, 3) RGB as JPEG."""
    made, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert made, "OpenCV cannot write JPEG"
    return data.tobytes()


def settings(
    clip: Tracked, blend: float, size: int, close_small_mm: tuple[float, float] = CLOSE_SMALL_MM
) -> dict[str, dict[str, Any]]:
    """Per-stage settings; `blend`: how much of the manifold projection is used; `size`: of the pictures, in pixels;
    `close_small_mm`: gaps under the first are shut, up to the second narrowed."""
    turned = clip.angles.mean(axis=0) - np.array([FACING_DEG, 0, 0])
    return {
        "manifold": {"neighbours": 10, "blend": blend},
        "mouth": {"look_ahead_frames": 18},
        "shape": {"smooth_frames": 1.0, "close_small": close_small_mm},
        "pose": {"look_ahead_frames": 15, "sigma_scale": 0.3},
        "head": {
            "smooth_rotation_frames": 5.0,
            "smooth_translation_frames": 10.0,
            "mean_rotation_deg": [round(float(angle), 4) for angle in turned],
            "recentre_s": RECENTRE_S,
        },
        "project": {"shoulder_amplify": SHOULDER_SHARE},
        "render": {"size": size},
    }

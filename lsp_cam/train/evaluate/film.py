"""Pictures of the page: the film (true, as tracked, from speech), the mean error, and three pictures up close.

Generated pictures carry the mark that every picture carries that leaves; figures are taken before it.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from lsp_cam.devices.videofile import VideoFileSink
from lsp_cam.packets import SAMPLE_RATE_HZ, LandmarkFrame
from lsp_cam.train.evaluate.figures import Array
from lsp_cam.train.evaluate.run import Evaluation
from lsp_cam.trust.marks import Marker
from lsp_cam.trust.permission import badge_of

MOST_S = 20.0
BRIGHT = 64.0  # the error (0..255) that is shown at its brightest


def write_film(done: Evaluation, path: Path) -> tuple[Array, int]:
    """The film with its sound, at most 20 s; gives the mean absolute error (S, S) of its pictures, and their number."""
    held_out, side = done.held_out, done.held_out.frames.shape[1]
    count = min(len(held_out.frames), int(MOST_S * held_out.fps))
    sound = held_out.samples[: int(count / held_out.fps * SAMPLE_RATE_HZ)]
    total, marker, words = np.zeros((side, side)), Marker(), badge_of(done.subject, False)
    with VideoFileSink(path, speech=sound) as sink:
        sink.open(3 * side, side, held_out.fps)
        for picture in range(count):
            truth, ours = held_out.frames[picture], done.motion.render(picture)
            total += np.abs(ours.astype(np.float32) - truth).mean(axis=2)
            generated = [marker.mark(pixels, words) for pixels in (ours, _spoken(done, picture))]
            sink.send(np.hstack([truth, *generated]))
    return total / count, count


def _spoken(done: Evaluation, picture: int) -> NDArray[np.uint8]:
    """The picture from speech alone."""
    landmarks: list[LandmarkFrame] = done.spoken.landmarks
    frame = min(done.held_out.motion_frame(picture), len(landmarks) - 1)
    return done.spoken.pipeline.render(done.spoken.pipeline.draw(landmarks[frame])).pixels


def coloured(error: Array) -> NDArray[np.uint8]:
    """A heat map (S, S, 3) of an error (S, S)."""
    shown = matplotlib.colormaps["magma"](np.clip(error / BRIGHT, 0, 1))
    return np.asarray(shown[..., :3] * 255, np.uint8)


def examples(done: Evaluation) -> list[tuple[str, int, NDArray[np.uint8]]]:
    """The best, the middle and the worst picture by PSNR: its name, number, and truth | rendered | error."""
    ranked = sorted(done.measured, key=lambda one: -one.values["psnr_db"])
    chosen = {"best": ranked[0], "middle": ranked[len(ranked) // 2], "worst": ranked[-1]}
    out, marker, words = [], Marker(), badge_of(done.subject, False)
    for name, one in chosen.items():
        truth, ours = done.held_out.frames[one.picture], done.motion.render(one.picture)
        error = np.abs(ours.astype(np.float64) - truth).mean(axis=2)
        out.append((name, one.picture, np.hstack([truth, marker.mark(ours, words), coloured(error)])))
    return out


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """An RGB picture as JPEG."""
    made, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert made, "OpenCV cannot write JPEG"
    path.write_bytes(data.tobytes())

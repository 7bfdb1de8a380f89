"""A few frames of the synthetic clip, made small: what renderers are trained on in tests."""

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

from lsp_cam.train.render_data import Footage, open_footage
from lsp_cam.train.synthetic import read_tracked
from lsp_cam.train.tracked import Tracked


def small_footage(shared: Path, frames: int = 20, side: int = 128) -> Footage:
    """The clip's first frames at `side` pixels, with its true motion."""
    folder = shared / "data" / "synthetic"
    with av.open(str(folder / "footage.mp4")) as video:
        pictures = [picture.to_ndarray(format="rgb24") for picture, _ in zip(video.decode(video=0), range(frames))]
    clip = read_tracked(folder)
    scale = np.diag([side / 512, side / 512, 1.0])
    parts = {name: getattr(clip, name)[:frames] for name in ("points", "angles", "translation", "shoulders")}
    small: Tracked = replace(clip, intrinsics=scale @ clip.intrinsics, **parts)
    return open_footage(small, np.stack([cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures]))

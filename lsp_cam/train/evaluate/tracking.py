"""Held-out video to held-out footage: crop, landmarks and tracking as in creation, face and camera the subject's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.train.evaluate.figures import Array, Row
from lsp_cam.train.evaluate.follow import Known, follow, with_body
from lsp_cam.train.evaluate.footage import SHORTEST_S, HeldOut, on_disk
from lsp_cam.train.prepare.crop import Square, choose_square
from lsp_cam.train.prepare.cuts import Segment, changes, find_cuts, segments_of
from lsp_cam.train.prepare.landmarks import first_look, second_look, steady, windows_of
from lsp_cam.train.prepare.mesh import FaceFinder
from lsp_cam.train.prepare.source import Video, look, pictures, sound
from lsp_cam.train.prepare.vertices import points_of

LOOKS = 24  # pictures that tell where the face is
LEAST_SEEN = 0.8
NEAR = 0.1  # of the square's side: how far the subject's own square may be from where the face asks for it
SHORTEST_RUN = 3


@dataclass(frozen=True)
class Part:
    """Pictures first .. last - 1 of a video."""

    video: Video
    first: int
    last: int


def track(path: Path, subject: Known, size: int, start_s: float, end_s: float | None) -> tuple[HeldOut, Row]:
    """The part of a video from `start_s` to `end_s` as held-out footage, and how well its tracking fits.

    Raises UsageError if the file is no video with sound, shows no face, or little is left of it.
    """
    video = look(path)
    first, count = round(start_s * video.fps), video.frames(video.fps)
    last = count if end_s is None else min(count, round(end_s * video.fps))
    if (last - first) / video.fps < SHORTEST_S:
        raise UsageError(f"{path.name} has less than {SHORTEST_S:g} s between --start and --end. Choose more of it.")
    part = Part(video, first, last)
    square = find_square(part, subject, size)
    shown = (square.cut(p) for p in islice(pictures(video, video.fps, first), last - first))
    frames = on_disk(shown, size)
    landmarks, segments = _landmarks(frames, path)
    followed = follow(landmarks, segments, video.fps, subject)
    clip = followed.clip
    body = subject.body if square == own_square(square, subject.intrinsics, video.width, video.height) else None
    if body is not None and body.picture.shape == frames.shape[1:]:
        clip = with_body(clip, frames, segments, subject, body)
    begin, end = (round(k / video.fps * SAMPLE_RATE_HZ) for k in (first, last))
    samples = sound(video, last / video.fps)[begin:end]
    facts = {
        "square": [square.left, square.top, square.side],
        "offset_px": followed.offset_px,
        "offset_removed": followed.offset_removed,
        "shoulders_seen": clip is not followed.clip,
    }
    return HeldOut(frames, samples, clip, first / video.fps), facts


def find_square(part: Part, subject: Known, size: int) -> Square:
    """The subject's own square where the video seems to be of the same camera, else one that the face asks for."""
    video, finder = part.video, FaceFinder()
    every = max(1, (part.last - part.first) // LOOKS)
    shown = islice(pictures(video, video.fps, part.first), 0, part.last - part.first, every)
    faces = [found[0] for found in map(finder.find, shown) if found]
    if not faces:
        raise UsageError(f"No face is seen in {video.path.name}. Choose footage of the subject's face.")
    wanted = choose_square(faces, video.width, video.height, size)
    return own_square(wanted, subject.intrinsics, video.width, video.height) or wanted


def own_square(wanted: Square, intrinsics: Array, width: int, height: int) -> Square | None:
    """The square, as large as `wanted`, at whose place the camera (3, 3) looks through the middle of the picture."""
    share = wanted.side / wanted.size
    left, top = round(width / 2 - intrinsics[0, 2] * share), round(height / 2 - intrinsics[1, 2] * share)
    inside = 0 <= left <= width - wanted.side and 0 <= top <= height - wanted.side
    near = max(abs(left - wanted.left), abs(top - wanted.top)) <= NEAR * wanted.side
    return Square(left, top, wanted.side, wanted.size) if inside and near else None


def _landmarks(frames: NDArray[np.uint8], path: Path) -> tuple[Array, list[Segment]]:
    """Landmarks (T, 73, 2), as creation reads them, and where the video is cut; gaps are bridged in straight lines."""
    cuts = find_cuts(changes(frames))
    with TemporaryDirectory() as work:
        once = first_look(frames, Path(work), lambda share: None)
        good = np.isfinite(once[:, 0, 0])
        if good.mean() < LEAST_SEEN:
            seen = f"{path.name} shows a face in {good.mean():.0%} of its pictures only"
            raise UsageError(f"{seen}. Choose a part with --start and --end.")
        windows = windows_of(once, segments_of(good, cuts, SHORTEST_RUN))
        twice = second_look(frames, windows, Path(work), lambda share: None)
    runs = segments_of(np.isfinite(twice[:, 0, 0]), cuts, SHORTEST_RUN)
    between = segments_of(np.ones(len(frames), bool), cuts, 1)
    return _bridged(points_of(steady(twice, runs))[..., :2]), between


def _bridged(landmarks: Array) -> Array:
    """Landmarks (T, 73, 2) without gaps."""
    there = np.flatnonzero(np.isfinite(landmarks[:, 0, 0]))
    flat = landmarks.reshape(len(landmarks), -1)
    columns = [np.interp(np.arange(len(flat)), there, column[there]) for column in flat.T]
    return np.stack(columns, axis=1).reshape(landmarks.shape)

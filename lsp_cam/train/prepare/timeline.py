"""A tracked clip with gaps: which of the video's pictures it is made of, and its motion at 60 fps, piece by piece."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsp_cam.packets import MOTION_FPS
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.tracked import Tracked

MOVING = ("points", "angles", "translation", "shoulders")


TIMELINE = "timeline.npz"
"""The file of a clip's timeline, beside it."""


@dataclass(frozen=True)
class Timeline:
    """numbers (T,): which picture of the video each frame of the clip is; segments: runs of the clip without a gap."""

    numbers: NDArray[np.int64]
    segments: list[Segment]

    def save(self, path: Path) -> None:
        """Write both as `.npz`."""
        np.savez(path, numbers=self.numbers, segments=np.array(self.segments, np.int64))

    @classmethod
    def load(cls, path: Path) -> "Timeline":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            return cls(arrays["numbers"], [Segment(int(a), int(b)) for a, b in arrays["segments"]])


def part_of(clip: Tracked, first: int, last: int) -> Tracked:
    """Frames first .. last - 1 of a clip."""
    return replace(clip, **{name: getattr(clip, name)[first:last] for name in MOVING})


@dataclass(frozen=True)
class Piece:
    """A run of motion at 60 fps: its frame 0 is motion frame `first` of the video's sound."""

    first: int
    clip: Tracked


def pieces(clip: Tracked, timeline: Timeline) -> list[Piece]:
    """Motion at 60 fps of each segment, interpolated inside it and never beyond its ends."""
    found = []
    for begin, end in timeline.segments:
        start, stop = (float(timeline.numbers[k]) for k in (begin, end - 1))
        # frame centres (j + 0.5) / 60 between the centres of the first and the last picture
        low = int(np.ceil((start + 0.5) / clip.fps * MOTION_FPS - 0.5 - 1e-9))
        high = int(np.floor((stop + 0.5) / clip.fps * MOTION_FPS - 0.5 + 1e-9))
        when = (np.arange(low, high + 1) + 0.5) * clip.fps / MOTION_FPS - 0.5 - start + begin
        if len(when) > 1:
            found.append(Piece(low, _sampled(clip, np.clip(when, begin, end - 1), end)))
    return found


def _sampled(clip: Tracked, when: NDArray[np.float64], end: int) -> Tracked:
    """The clip at (fractional) frames `when` (T,)."""
    low = np.minimum(when.astype(int), end - 2)
    share = when - low

    def between(values: NDArray[np.float64]) -> NDArray[np.float64]:
        part = share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(values[low] * (1 - part) + values[low + 1] * part)

    return replace(clip, fps=float(MOTION_FPS), **{name: between(getattr(clip, name)) for name in MOVING})


def end_to_end(found: list[Piece]) -> Tracked:
    """All pieces as one clip, for what need not know where they meet."""
    clips = [piece.clip for piece in found]
    whole: dict[str, Any] = {name: np.concatenate([getattr(clip, name) for clip in clips]) for name in MOVING}
    return replace(clips[0], **whole)

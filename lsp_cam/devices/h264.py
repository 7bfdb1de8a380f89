"""Pictures into H.264, a segment of a minute at a time.

Each segment has an encoder of its own, so that it can be made anywhere: a film is the same whether one process makes
it or each of its segments is made by another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from ..packets import UInt8

SEGMENT_S = 60
KEYFRAME_S = 2
# Part of what is encoded, so never the machine's: more threads give other bytes.
THREADS = 2
X264 = {"crf": "18", "preset": "veryfast"}
_BT709 = 1
_LIMITED_RANGE = 1


@dataclass(frozen=True, slots=True)
class Coded:
    """A picture, encoded. `pts`, `dts`: when it is shown and decoded, in pictures from the segment's first."""

    data: bytes
    pts: int
    dts: int
    is_keyframe: bool


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment, encoded: what came out of the encoder at each picture, and what it held back to the end."""

    pictures: list[list[Coded]] = field(default_factory=list)
    held: list[Coded] = field(default_factory=list)


def segment_pictures(fps: Fraction) -> int:
    """How many pictures a segment has; the last may have fewer."""
    return max(1, round(fps * SEGMENT_S))


class SegmentEncoder:
    """Encodes one segment. Raises av's errors."""

    def __init__(self, width: int, height: int, fps: Fraction) -> None:
        self._context: Any = av.CodecContext.create("libx264", "w")
        configure(self._context, width, height, fps)
        self._context.flags |= av.codec.context.Flags.global_header
        self._pictures = 0

    def encode(self, rgb: UInt8) -> list[Coded]:
        """The next picture, (H, W, 3): what is ready now."""
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE)
        frame.pts = self._pictures
        frame.time_base = self._context.time_base
        self._pictures += 1
        return self._coded(frame)

    def flush(self) -> list[Coded]:
        """What was held back; no picture may follow."""
        return self._coded(None)

    def _coded(self, frame: Any) -> list[Coded]:
        return [Coded(bytes(p), p.pts, p.dts, p.is_keyframe) for p in self._context.encode(frame)]


def configure(context: Any, width: int, height: int, fps: Fraction) -> None:
    """Set up an encoder that is not open yet; time is counted in pictures."""
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    context.framerate, context.time_base = fps, 1 / fps
    context.options = X264
    context.gop_size = round(fps * KEYFRAME_S)
    context.thread_count = THREADS
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED_RANGE


def encode_segment(pictures: Any, width: int, height: int, fps: Fraction) -> Segment:
    """The segment of an iterable of (height, width, 3) uint8 RGB."""
    encoder = SegmentEncoder(width, height, fps)
    made = [encoder.encode(rgb) for rgb in pictures]
    return Segment(made, encoder.flush())

"""H.264 and AAC through PyAV: one encoder, and the step from a fragmented file to an ordinary one."""

from __future__ import annotations

import errno
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..errors import DeviceError
from ..packets import SAMPLE_RATE_HZ, Float32, UInt8
from .h264 import Coded, Segment, SegmentEncoder, configure, segment_pictures

AUDIO_BIT_RATE = 96_000
AUDIO_FRAME = 1024
TAIL_S = Fraction(1, 2)
# delay_moov, not empty_moov: only then is the encoders' delay known when the header is written, and picture and
# sound start together.
_FRAGMENTS = {"movflags": "frag_keyframe+delay_moov+default_base_moof", "fflags": "+bitexact"}
_INDEX_IN_FRONT = {"movflags": "+faststart", "fflags": "+bitexact"}

# (the finished file, the copy to make, the suffix it will have) -> whether the copy was made
Seal = Callable[[Path, Path, str], bool]


class Encoder:
    """Writes `path` until `close`. One thread. Raises DeviceError when the file cannot be written."""

    def __init__(self, path: Path, kind: str, width: int, height: int, fps: Fraction) -> None:
        self._path = path
        self._size = width, height
        self._fps = fps
        self._frames = 0
        self._samples = 0
        self._waiting: deque[Float32] = deque()
        self._segment: SegmentEncoder | None = None
        self._segment_start = 0
        with _translated(path, self._seconds):
            options = {"fflags": "+bitexact"} if kind == "matroska" else _FRAGMENTS
            self._file = av.open(str(path), "w", format=kind, options=options)
            self._video = self._add_video(width, height)
            self._audio: Any = self._file.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
            self._audio.bit_rate = AUDIO_BIT_RATE
            self._audio.codec_context.flags |= av.codec.context.Flags.bitexact
            self._file.start_encoding()

    def frame(self, rgb: UInt8) -> None:
        """The next frame, (H, W, 3), and the speech up to its end."""
        with _translated(self._path, self._seconds):
            if self._segment is None:
                self._segment = SegmentEncoder(*self._size, self._fps)
            self._add(self._segment.encode(rgb))
            if self._frames - self._segment_start == segment_pictures(self._fps):
                self._end_segment()

    def segment(self, segment: Segment) -> None:
        """A whole segment, encoded elsewhere, and its speech: the same as its frames one by one."""
        with _translated(self._path, self._seconds):
            for coded in segment.pictures:
                self._add(coded)
            self._end_segment(segment.held)

    def speech(self, samples: Float32) -> None:
        """What sounds next, (N,) 16 kHz."""
        self._waiting.append(samples)

    def close(self) -> None:
        """The rest of the speech, as far as it belongs to the frames, and the end of the file."""
        with _translated(self._path, self._seconds):
            self._end_segment()
            self._write_speech(self._seconds() + TAIL_S, last=True)
            self._file.mux(self._audio.encode(None))
            self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        with suppress(Exception):
            self._file.close()

    def _seconds(self) -> Fraction:
        return self._frames / self._fps

    def _add_video(self, width: int, height: int) -> Any:
        """The stream; its own encoder writes the header and encodes nothing."""
        stream: Any = self._file.add_stream("libx264", rate=self._fps)
        configure(stream.codec_context, width, height, self._fps)
        stream.time_base = 1 / self._fps
        return stream

    def _add(self, coded: list[Coded]) -> None:
        """What the encoder gave at the next frame, and the speech up to the frame's end."""
        self._mux(coded)
        self._frames += 1
        self._write_speech(self._seconds())

    def _end_segment(self, held: list[Coded] | None = None) -> None:
        self._mux(self._segment.flush() if self._segment is not None else held or [])
        self._segment, self._segment_start = None, self._frames

    def _mux(self, coded: list[Coded]) -> None:
        for picture in coded:
            packet = av.Packet(picture.data)
            packet.pts, packet.dts = (self._segment_start + place for place in (picture.pts, picture.dts))
            packet.duration, packet.time_base, packet.stream = 1, 1 / self._fps, self._video
            packet.is_keyframe = picture.is_keyframe
            self._file.mux(packet)

    def _write_speech(self, until: Fraction, last: bool = False) -> None:
        """Encode whole AAC frames up to `until` seconds; at the end also what does not fill one."""
        wanted = int(until * SAMPLE_RATE_HZ) - self._samples
        ready = min(wanted, sum(map(len, self._waiting)))
        while ready >= AUDIO_FRAME or (last and ready > 0):
            piece = self._take(min(AUDIO_FRAME, ready))
            frame = av.AudioFrame.from_ndarray(piece[None], format="fltp", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            frame.pts = self._samples
            frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
            self._file.mux(self._audio.encode(frame))
            self._samples += len(piece)
            ready -= len(piece)

    def _take(self, count: int) -> Float32:
        taken: list[Float32] = []
        while count:
            first = self._waiting.popleft()
            if len(first) > count:
                self._waiting.appendleft(first[count:])
            taken.append(first[:count])
            count -= len(taken[-1])
        return np.ascontiguousarray(np.concatenate(taken), np.float32)


def finalise(part: Path, target: Path, kind: str, seal: Seal | None = None) -> bool:
    """Rewrite `part` as an ordinary file with its index in front, and rename it to `target`, at once or not at all.

    A finished Matroska file is ordinary already. A fragmented one becomes `target` as it is if there is no room for a
    second copy: it is whole, only slower to seek in. `seal` makes the copy that is kept; gives whether it did, for
    which there must be room, too. Raises DeviceError; then `part`, which plays, is left.
    """
    finished = target.with_name(f"{target.name}.finishing")
    done = part
    try:
        if kind != "matroska" and _has_room(part):
            with _translated(part, None):
                _remux(part, finished, kind)
            done = finished
        is_sealed = settle(done, target, seal)
    finally:
        finished.unlink(missing_ok=True)
    part.unlink(missing_ok=True)
    return is_sealed


def settle(done: Path, target: Path, seal: Seal | None = None) -> bool:
    """Give the ordinary file `done` its name, sealed if there is room for a copy; gives whether it was sealed."""
    sealed = target.with_name(f"{target.name}.sealing")
    is_sealed = False
    try:
        with _translated(done, None):
            if seal is not None and _has_room(done) and seal(done, sealed, target.suffix):
                done, is_sealed = sealed, True
            with done.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(done, target)
    finally:
        sealed.unlink(missing_ok=True)
    return is_sealed


def _has_room(part: Path) -> bool:
    return shutil.disk_usage(part.parent).free > part.stat().st_size * 1.1 + 1e6


def _remux(source: Path, target: Path, kind: str) -> None:
    with av.open(str(source)) as old, av.open(str(target), "w", format=kind, options=_INDEX_IN_FRONT) as new:
        streams = {s.index: new.add_stream_from_template(s) for s in old.streams}
        for packet in old.demux():
            if packet.size:  # the last ones, of size 0, only mark the end
                packet.stream = streams[packet.stream.index]
                new.mux(packet)


@contextmanager
def _translated(part: Path, seconds: Any) -> Iterator[None]:
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        made = f" after {float(seconds()):.1f} s of video" if seconds else " while the video was being finished"
        what = f"The disk is full{made}" if full else f"The video cannot be written ({error}){made}"
        kept = f"What was made plays: {part}. " if part.exists() else ""
        raise DeviceError(f"{what}. {kept}Free some space, or choose another folder, and start again.") from error

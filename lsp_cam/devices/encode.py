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

AUDIO_BIT_RATE = 96_000
AUDIO_FRAME = 1024
TAIL_S = Fraction(1, 2)
KEYFRAME_S = 2
# Part of what is encoded, so never the machine's: more threads give other bytes.
THREADS = 2
X264 = {"crf": "18", "preset": "veryfast"}
# delay_moov, not empty_moov: only then is the encoders' delay known when the header is written, and picture and
# sound start together.
_FRAGMENTS = {"movflags": "frag_keyframe+delay_moov+default_base_moof", "fflags": "+bitexact"}
_INDEX_IN_FRONT = {"movflags": "+faststart", "fflags": "+bitexact"}
_BT709 = 1
_LIMITED_RANGE = 1


# (the finished file, the copy to make, the suffix it will have) -> whether the copy was made
Seal = Callable[[Path, Path, str], bool]


class Encoder:
    """Writes `path` until `close`. One thread. Raises DeviceError when the file cannot be written."""

    def __init__(self, path: Path, kind: str, width: int, height: int, fps: Fraction) -> None:
        self._path = path
        self._fps = fps
        self._frames = 0
        self._samples = 0
        self._waiting: deque[Float32] = deque()
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
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_LIMITED_RANGE)
        frame.pts = self._frames
        frame.time_base = 1 / self._fps
        with _translated(self._path, self._seconds):
            self._file.mux(self._video.encode(frame))
            self._frames += 1
            self._write_speech(self._seconds())

    def speech(self, samples: Float32) -> None:
        """What sounds next, (N,) 16 kHz."""
        self._waiting.append(samples)

    def close(self) -> None:
        """The rest of the speech, as far as it belongs to the frames, and the end of the file."""
        with _translated(self._path, self._seconds):
            self._write_speech(self._seconds() + TAIL_S, last=True)
            self._file.mux(self._video.encode(None))
            self._file.mux(self._audio.encode(None))
            self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        with suppress(Exception):
            self._file.close()

    def _seconds(self) -> Fraction:
        return self._frames / self._fps

    def _add_video(self, width: int, height: int) -> Any:
        stream: Any = self._file.add_stream("libx264", rate=self._fps, options=X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = 1 / self._fps
        context = stream.codec_context
        context.gop_size = round(self._fps * KEYFRAME_S)
        context.thread_count = THREADS
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        return stream

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
    finished, sealed = (target.with_name(f"{target.name}.{ending}") for ending in ("finishing", "sealing"))
    done, is_sealed = part, False
    try:
        with _translated(part, None):
            if kind != "matroska" and _has_room(part):
                _remux(part, finished, kind)
                done = finished
            if seal is not None and _has_room(part) and seal(done, sealed, target.suffix):
                done, is_sealed = sealed, True
            with done.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(done, target)
    finally:
        for left in (finished, sealed):
            left.unlink(missing_ok=True)
    part.unlink(missing_ok=True)
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

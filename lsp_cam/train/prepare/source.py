"""A video file as the stages want it: upright pictures at even times, and the sound beside them.

Time 0 is where the sound begins. Picture i is the one that shows at (i + 0.5)/fps, whatever rate the file has, so that
a file of variable rate becomes an even one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from lsp_cam.devices.decode import decode_mono
from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ

Picture = NDArray[np.uint8]
FASTEST_FPS = 60.0
UNEVEN = 0.2  # of the pictures' spacing, by which a file of even rate never strays


@dataclass(frozen=True)
class Video:
    """What a file says of itself: upright size in pixels, pictures a second, seconds of picture and of sound."""

    path: Path
    width: int
    height: int
    fps: float
    picture_s: float
    sound_s: float
    turned_deg: int
    uneven: bool

    def frames(self, fps: float) -> int:
        """How many pictures at `fps` have both picture and sound."""
        return int(min(self.picture_s, self.sound_s) * fps + 1e-6)


def look(path: Path) -> Video:
    """Read what there is to know without decoding all pictures; UsageError if the file is no video with sound."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        first = next(container.decode(stream), None)
        if first is None:
            raise UsageError(f"{path.name} holds no picture that can be decoded. Export it again.")
        if not container.streams.audio:
            raise UsageError(f"{path.name} has no sound. Speech is what moves the portrait: choose a video with sound.")
        turned = int(first.rotation) % 360
        width, height = (first.height, first.width) if turned in (90, 270) else (first.width, first.height)
    times, ends = _times(path)
    spacing = np.diff(times)
    middle = float(np.median(spacing)) if len(spacing) else 0.0
    uneven = bool(len(spacing) and np.abs(spacing - middle).max() > UNEVEN * middle)
    rate = min(FASTEST_FPS, (len(times) - 1) / (times[-1] - times[0])) if len(times) > 1 else 1.0
    rate = round(rate, 3) if abs(rate - round(rate)) > 0.01 else float(round(rate))
    return Video(path, width, height, rate, ends, _sound_s(path), turned, uneven)


def pictures(video: Video, fps: float, first: int = 0) -> Iterator[Picture]:
    """Upright pictures (height, width, 3) RGB from number `first` on, without end of sound in mind."""
    with _opened(video.path) as container:
        begins, number, held = _sound_begins(container), first, None
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        try:
            for frame in container.decode(stream):
                when = _time_of(frame) - begins
                while held is not None and (number + 0.5) / fps < when - 1e-4:
                    yield upright(held)
                    number += 1
                held = frame
        except av.error.FFmpegError as error:
            raise UsageError(f"{video.path.name} is damaged at {number / fps:.1f} s ({error.strerror}).") from error
        while held is not None and (number + 0.5) / fps < video.picture_s:
            yield upright(held)
            number += 1


def upright(frame: Any) -> Picture:
    """The picture as a player shows it: phones store theirs lying and say by how much to turn."""
    picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    return np.ascontiguousarray(np.rot90(picture, int(frame.rotation) % 360 // 90))


def sound(video: Video, seconds: float) -> NDArray[np.float32]:
    """Samples (S,) at 16 kHz mono of the first `seconds`."""
    samples = np.concatenate([np.zeros(0, np.float32), *decode_mono(video.path, partial=True)])
    return samples[: round(seconds * SAMPLE_RATE_HZ)]


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, open; UsageError where it is no video or turns out to be damaged."""
    try:
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{path} cannot be opened as a video ({reason}). Choose another file.") from error
    if not container.streams.video:
        container.close()
        raise UsageError(f"{path.name} has no picture. Choose a video of someone talking.")
    with container:
        try:
            yield container
        except av.error.FFmpegError as error:
            raise UsageError(f"{path.name} is damaged ({error.strerror}). Export it again.") from error


def _time_of(frame: Any) -> float:
    return float(frame.pts * frame.time_base) if frame.pts is not None else float(frame.time or 0)


def _sound_begins(container: Any) -> float:
    stream = container.streams.audio[0]
    return float((stream.start_time or 0) * stream.time_base)


def _times(path: Path) -> tuple[NDArray[np.float64], float]:
    """When each picture begins to show (T,), in order, and when the last one has been shown."""
    with _opened(path) as container:
        stream = container.streams.video[0]
        begins, base = _sound_begins(container), stream.time_base
        found = [(packet.pts, packet.duration or 0) for packet in container.demux(stream) if packet.pts is not None]
    times = np.sort(np.array([float(pts * base) for pts, _ in found])) - begins
    if len(times) < 2:
        return times, float(times[-1] + found[-1][1] * base) if len(times) else 0.0
    return times, float(times[-1] + np.median(np.diff(times)))


def _sound_s(path: Path) -> float:
    return sum(len(part) for part in decode_mono(path, partial=True)) / SAMPLE_RATE_HZ

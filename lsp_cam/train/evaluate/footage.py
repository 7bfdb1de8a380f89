"""Held-out footage: pictures, sound and the tracked clip, cut to the part that is to be measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32
from lsp_cam.train.prepare.timeline import TIMELINE, Timeline
from lsp_cam.train.synthetic import read_tracked
from lsp_cam.train.tracked import Tracked, load_tracked

SHORTEST_S = 1.0
TRUTH = "ground_truth.npz"


@dataclass(frozen=True)
class HeldOut:
    """Footage in the subject's crop, axes and camera.

    frames (T, S, S, 3) uint8 RGB; samples (N,) of the same time; tracked: T frames; `start_s` on the file's timeline.
    """

    frames: NDArray[np.uint8]
    samples: Float32
    tracked: Tracked
    start_s: float

    @property
    def fps(self) -> float:
        """Pictures per second."""
        return self.tracked.fps

    def motion_frame(self, picture: int) -> int:
        """The 60 fps frame that covers the middle of a picture's time."""
        return int((picture + 0.5) / self.fps * 60)


def read_truth(path: Path) -> Tracked:
    """A tracked clip from a file: what the tracker saved, or the ground truth of the synthetic footage.

    Raises UsageError for a file that is none.
    """
    try:
        return read_tracked(path.parent) if path.name == TRUTH else load_tracked(path)
    except (OSError, KeyError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a tracked clip ({error}). Leave --tracked out.") from None


def check_whole(path: Path) -> None:
    """UsageError for a tracked clip that pictures of the video are missing from: which is which is not in the file."""
    file = path.with_name(TIMELINE)
    if path.name == TRUTH or not file.is_file():
        return
    numbers = Timeline.load(file).numbers
    if (numbers != np.arange(len(numbers))).any():
        raise UsageError(f"{path} lacks pictures of its video, which were not tracked. Leave --tracked out.")


def part_of(clip: Tracked, first: int, last: int) -> Tracked:
    """Frames first .. last - 1."""
    moving = {name: getattr(clip, name)[first:last] for name in ("points", "angles", "translation", "shoulders")}
    return replace(clip, **moving)


def open_held_out(
    video: Path, tracked: Tracked, size: int, start_s: float = 0.0, end_s: float | None = None
) -> HeldOut:
    """The part of a square video from `start_s` to `end_s` with its tracked clip, pictures `size` pixels wide.

    Raises UsageError if clip and video do not fit together or little is left, AudioError if there is no sound.
    """
    samples = read_audio(video, partial=True)
    fps = tracked.fps
    first, last = round(start_s * fps), len(tracked.points) if end_s is None else round(end_s * fps)
    last = min(last, len(tracked.points), int(start_s * fps) + int(len(samples) / SAMPLE_RATE_HZ * fps))
    if (last - first) / fps < SHORTEST_S:
        raise UsageError(f"{video.name} has less than {SHORTEST_S:g} s between --start and --end. Choose more of it.")
    frames = on_disk(pictures_of(video, first, last, size), size)
    if len(frames) < last - first:
        raise UsageError(
            f"{video.name} has fewer pictures ({first + len(frames)}) than its tracked clip. Track it again."
        )
    begin, end = round(first / fps * SAMPLE_RATE_HZ), round(last / fps * SAMPLE_RATE_HZ)
    return HeldOut(frames, samples[begin:end], part_of(tracked, first, last), first / fps)


def on_disk(pictures: Iterable[NDArray[np.uint8]], size: int) -> NDArray[np.uint8]:
    """Pictures (T, size, size, 3), mapped from a file that nobody else sees: minutes of them do not fit in memory."""
    with tempfile.TemporaryFile() as file:
        for picture in pictures:
            file.write(np.ascontiguousarray(picture).tobytes())
        file.flush()
        if file.tell() == 0:
            return np.zeros((0, size, size, 3), np.uint8)
        return np.memmap(file, np.uint8, mode="r").reshape(-1, size, size, 3)


def pictures_of(video: Path, first: int, last: int, size: int) -> Iterator[NDArray[np.uint8]]:
    """Pictures (size, size, 3) `first` .. `last` - 1 of a square video; UsageError if it is not square."""
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= last:
                return
            if number < first:
                continue
            if frame.width != frame.height:
                raise UsageError(f"{video.name} is not square: its tracked clip cannot be of these pictures.")
            picture = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
            same = frame.width == size
            yield picture if same else np.asarray(cv2.resize(picture, (size, size), None, 0, 0, cv2.INTER_AREA))

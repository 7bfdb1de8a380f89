"""Crop: the square that is shown, the same in all pictures, and the pictures and the sound in it (section 4.1)."""

import os
import shutil
import wave
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import DeviceError, UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.train.prepare.mesh import Face
from lsp_cam.train.prepare.source import Picture, Video, pictures, sound

HEAD_AND_SHOULDERS = 3.2
"""Side of the square in sides of the detector's box, which spans brows to chin."""
FACE_DOWN = 0.46
"""Where in the square the face's centre is, from the top."""
ROOM_TO_SPARE = 2.1
"""Where pictures are left out, those that are tracked are copied before the others go."""


@dataclass(frozen=True)
class Square:
    """Where the square is in the upright picture, in pixels, and the side that it is resized to."""

    left: int
    top: int
    side: int
    size: int

    def cut(self, picture: Picture) -> Picture:
        """The square (size, size, 3) of a picture (H, W, 3)."""
        part = picture[self.top : self.top + self.side, self.left : self.left + self.side]
        if self.side == self.size:
            return np.ascontiguousarray(part)
        way = cv2.INTER_AREA if self.side > self.size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, (self.size, self.size), None, 0, 0, way), np.uint8)

    def centre_of(self, width: int, height: int) -> tuple[float, float]:
        """Where the centre of the whole picture, through which the camera looks, falls in the square, in pixels."""
        share = self.size / self.side
        return (width / 2 - self.left) * share, (height / 2 - self.top) * share


def choose_square(faces: list[Face], width: int, height: int, size: int) -> Square:
    """Head and shoulders, as far as the picture (width, height) has them."""
    x, y = np.median([(face.x, face.y) for face in faces], axis=0)
    side = int(min(width, height, HEAD_AND_SHOULDERS * np.median([face.side for face in faces])))
    left = int(np.clip(x - side / 2, 0, width - side))
    top = int(np.clip(y - FACE_DOWN * side, 0, height - side))
    return Square(left, top, side, size)


def partial_of(out: Path) -> Path:
    """Where a file lies until it is whole."""
    return out.with_name(out.name + ".partial")


def check_room(out: Path, frames: int, size: int) -> None:
    """DeviceError if the pictures will not fit on the disk of `out`, beside those of them that are there already."""
    folder, partial = out.parent, partial_of(out)
    there = partial.stat().st_size if partial.exists() else 0
    wanted = int(frames * size * size * 3 * ROOM_TO_SPARE) - there
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise DeviceError(
            f"The pictures need {wanted / 1e9:.1f} GB in {folder}, {free / 1e9:.1f} GB are free. Make room, or choose "
            "another folder with --work."
        )


def cut_all(videos: list[Video], square: Square, fps: float, out: Path, tell: Callable[[float], None]) -> list[int]:
    """Write all pictures to `out`, those of one video after those of another; returns how many each has given.

    A part that a kill has left is taken over, up to the last whole picture.
    """
    counts = [video.frames(fps) for video in videos]
    partial, each = partial_of(out), square.size**2 * 3
    there = partial.stat().st_size // each if partial.exists() else 0
    with partial.open("r+b" if there else "wb") as file:
        file.truncate(there * each)
        file.seek(there * each)
        before = 0
        for video, count in zip(videos, counts, strict=True):
            skip = min(max(0, there - before), count)
            _write(file.write, pictures(video, fps, skip), square, count - skip, video.path)
            before += count
            tell(before / sum(counts))
    os.replace(partial, out)
    return counts


def _write(write: Callable[[bytes], object], shown: Iterable[Picture], square: Square, count: int, path: Path) -> None:
    last = None
    for picture in shown:
        if count == 0:
            return
        last = square.cut(picture).tobytes()
        write(last)
        count -= 1
    if last is None and count:
        raise UsageError(f"{path.name} ends before its sound does. Export it again.")
    for _ in range(count):
        write(last or b"")


def write_sound(videos: list[Video], counts: list[int], fps: float, out: Path) -> None:
    """The sound of all pictures as a WAV file: each video's is cut, or filled with silence, to its length."""
    parts: list[NDArray[np.float32]] = []
    for video, count in zip(videos, counts, strict=True):
        samples = round(count / fps * SAMPLE_RATE_HZ)
        given = sound(video, count / fps)[:samples]
        parts.append(np.pad(given, (0, samples - len(given))))
    levels = (np.clip(np.concatenate(parts), -1, 1) * 32767).astype("<i2")
    partial = partial_of(out)
    with wave.open(str(partial), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(levels.tobytes())
    os.replace(partial, out)

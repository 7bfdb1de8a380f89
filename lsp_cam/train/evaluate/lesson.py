"""Training footage for the small trainings: the work folder of a subject's creation, or the synthetic footage's."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.train.evaluate.footage import TRUTH, on_disk, part_of, pictures_of, read_truth
from lsp_cam.train.evaluate.run import Lesson
from lsp_cam.train.prepare.timeline import TIMELINE, Timeline
from lsp_cam.train.tracked import Tracked

TRACKED, SOUND, KEPT, FILM = "tracked.npz", "audio.wav", "kept.rgb", "footage.mp4"
LEAST_S = 20.0


def read_lesson(folder: Path, held_out: Path, start_s: float, size: int | None = None) -> Lesson:
    """Sound and tracked clip of `folder`; of the folder that the held-out video lies in, only what is before it, and of
    one whose pictures were not all tracked the longest run of those that were. `size`: how wide its pictures are to be;
    None leaves them out.

    Raises UsageError where these are not there, or too short.
    """
    tracked = next((folder / name for name in (TRACKED, TRUTH) if (folder / name).is_file()), None)
    if tracked is None or not (folder / SOUND).is_file():
        raise UsageError(f"{folder} holds no training footage ({SOUND} with {TRACKED} or {TRUTH}).")
    whole = read_truth(tracked)
    first, last, begin = _longest_run(folder, whole)
    frames = last - first
    if folder.resolve() == held_out.resolve().parent:
        frames = min(frames, int(start_s * whole.fps) - round(begin / SAMPLE_RATE_HZ * whole.fps))
    if frames < LEAST_S * whole.fps:
        raise UsageError(f"{folder} leaves less than {LEAST_S:g} s to train on before --start. Measure a later part.")
    samples = read_audio(folder / SOUND)[begin : begin + int(frames / whole.fps * SAMPLE_RATE_HZ)]
    pictures = None if size is None else _pictures(folder, first, first + frames, size, len(whole.points))
    return Lesson(samples, part_of(whole, first, first + frames), pictures)


def _pictures(folder: Path, first: int, last: int, size: int, tracked: int) -> NDArray[np.uint8]:
    """Pictures (last - first, size, size, 3) of the `tracked` ones."""
    kept, film, bytes_each = folder / KEPT, folder / FILM, 3 * size * size
    if kept.is_file() and kept.stat().st_size == tracked * bytes_each:
        return np.memmap(kept, np.uint8, mode="r").reshape(-1, size, size, 3)[first:last]
    if not (folder / TIMELINE).is_file() and _width(film) == size:  # of a film all pictures were tracked, at its size
        found = on_disk(pictures_of(film, first, last, size), size)
        if len(found) == last - first:
            return found
    raise UsageError(
        f"{folder} does not hold the pictures of its clip, {size} pixels wide ({KEPT} or {FILM}). Leave "
        "--renderer-steps out, or give the work folder that the subject was made in."
    )


def _width(film: Path) -> int | None:
    """How many pixels wide a film's pictures are; None if there is none."""
    try:
        with av.open(str(film)) as container:
            return int(container.streams.video[0].width)
    except (OSError, IndexError, av.FFmpegError):
        return None


def _longest_run(folder: Path, clip: Tracked) -> tuple[int, int, int]:
    """First and last frame (exclusive) of what was tracked without a gap, and the sample that it begins at: a clip that
    pictures are missing from is not in time with its sound."""
    if not (folder / TIMELINE).is_file():
        return 0, len(clip.points), 0
    timeline = Timeline.load(folder / TIMELINE)
    first, last = max(timeline.segments, key=lambda segment: segment.last - segment.first)
    return first, last, round(int(timeline.numbers[first]) / clip.fps * SAMPLE_RATE_HZ)

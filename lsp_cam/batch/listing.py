"""The list of a batch: a recording a line, and where its film goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..devices.videofile import check_target
from ..errors import UsageError

SUFFIX = ".mp4"


@dataclass(frozen=True, slots=True)
class Clip:
    """A recording and the film that it becomes."""

    recording: Path
    film: Path


def read_list(path: Path, folder: Path) -> list[Clip]:
    """The clips of the list `path`, whose films go to `folder`.

    A line is the path of a recording, seen from the list's folder; after a tab, the name of its film, if that is not to
    be the recording's with .mp4. Empty lines and those that begin with # count for nothing.
    Raises UsageError for a list that cannot be read or is empty, recordings that are not there, films of one name.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The list {path} cannot be read ({error}). Give a text file, a recording a line.") from None
    clips: dict[Path, Clip] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        clip, where = _clip(line, path, folder), f"{path}, line {number}"
        if not clip.recording.is_file():
            raise UsageError(f"{where}: there is no file {clip.recording}. Correct the line or take it out.")
        if clip.film in clips:
            other = clips[clip.film].recording
            raise UsageError(f"{where}: {clip.film} is already the film of {other}. Give another name after a tab.")
        clips[clip.film] = clip
    if not clips:
        raise UsageError(f"The list {path} names no recording. Write one path on each line.")
    return list(clips.values())


def check_films(clips: list[Clip]) -> None:
    """UsageError or DeviceError if one of the films could not be written; their folders are made."""
    for folder in {clip.film.parent for clip in clips}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"The folder {folder} cannot be made ({error.strerror}). Choose another.") from None
    for clip in clips:
        check_target(clip.film)


def _clip(line: str, path: Path, folder: Path) -> Clip:
    recording, _, name = (part.strip() for part in line.partition("\t"))
    return Clip(path.parent / recording, folder / (name or f"{Path(recording).stem}{SUFFIX}"))

"""The folder in which a subject is made: what each stage has left there, and which stages are done.

    request.json      what was asked for; a folder is only resumed for the same
    marks/STAGE.json  a stage that is done, with what it found
    audio.wav         sound, 16 kHz mono        frames.rgb    pictures (T, S, S, 3) uint8
    landmarks.npz     the mesh of every picture     tracked.npz   the tracked clip     …  and what training leaves

Every file is either whole or not there, so that a kill at any moment costs the stage at most what it has not yet saved.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from lsp_cam.errors import DeviceError, UsageError

Facts = dict[str, Any]
ENDING_S = 12.0  # a run that the panel cancels is given ten seconds to end


class Work:
    """The work folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """The place of a file or folder of the work folder; its parents exist."""
        place = self.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def is_done(self, stage: str) -> bool:
        """Whether a stage has been finished."""
        return (self.root / "marks" / f"{stage}.json").exists()

    def mark(self, stage: str, facts: Facts) -> None:
        """Write down that a stage is done, and what it has found."""
        write_json(self.path(f"marks/{stage}.json"), facts)

    def facts(self, stage: str) -> Facts:
        """What a finished stage has found."""
        found: Facts = json.loads((self.root / "marks" / f"{stage}.json").read_text())
        return found

    def frames(self, side: int) -> NDArray[np.uint8]:
        """The pictures (T, side, side, 3), mapped from disk."""
        return np.memmap(self.root / "frames.rgb", np.uint8, mode="r").reshape(-1, side, side, 3)


def write_json(path: Path, values: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_bytes(path, json.dumps(values, indent=1).encode())


def write_bytes(path: Path, data: bytes | memoryview) -> None:
    """Write a file, whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)


def write_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write an `.npz`, whole or not at all."""
    partial = path.with_name(path.name + ".partial.npz")
    np.savez(partial, allow_pickle=False, **arrays)
    os.replace(partial, path)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """The folder, made and for this run alone; UsageError if it cannot be had."""
    try:
        with room_on_disk(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # what is in it shows a person
            lock = FileLock(folder / "lock", timeout=ENDING_S)
            lock.acquire()
    except Timeout:
        raise UsageError(
            f"Another lsp-cam is at work in {folder}. Let it end, or choose another folder with --work."
        ) from None
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be worked in ({error.strerror}). Choose another folder with --work."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def room_on_disk(folder: Path, again: str = "the same command with --resume") -> Iterator[None]:
    """Tell a full disk in plain words; `again`: what to run when there is room."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DeviceError(f"The disk that holds {folder} is full. Make room and run {again}.") from error

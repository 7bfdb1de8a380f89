"""Speech from a file: any format that FFmpeg reads, or a NumPy array; and a file that plays like a microphone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import AudioError
from ..packets import SAMPLE_RATE_HZ, Float32
from .base import BLOCK_SAMPLES, AudioBlock, Closing, SourceState
from .decode import decode_mono
from .pace import Pacer

MAX_HOURS = 12
MAX_PEAK = 100.0


def read_audio(path: str | Path, *, partial: bool = False) -> Float32:
    """The speech in `path`, (N,) float32 16 kHz mono, N >= 1.

    Channels are mixed as FFmpeg mixes them (stereo: the mean), other rates are resampled by soxr (HQ). A mono 16 kHz
    float file comes through bit for bit. A `.npy` file is a (N,) array of floats, taken as 16 kHz mono.

    Raises AudioError for what is missing, not a file, empty, no audio, damaged, not finite, too long (12 h) or of an
    absurd level. A file that breaks off or is damaged in the middle is an error too, for its speech would stop in the
    middle of a word; `partial=True` takes what can be decoded of it. (MP3 and Ogg do not say how long they are meant
    to be: there a missing end is not noticed.)
    """
    path = Path(path)
    _check_file(path)
    samples = _read_npy(path) if path.suffix.lower() == ".npy" else _decode(path, partial)
    if samples.size == 0:
        raise AudioError(f"{path} holds no samples. Choose a recording with speech in it.")
    if not np.isfinite(samples).all():
        raise AudioError(f"{path} holds samples that are not numbers (NaN or infinite). Export it again.")
    peak = max(float(samples.max()), -float(samples.min()))
    if peak > MAX_PEAK:
        raise AudioError(f"{path} has samples up to {peak:.0f}, but they go from -1 to 1. Divide 16-bit ones by 32768.")
    return samples


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder. Give the path of an audio file in it.")
        if not path.exists():
            raise AudioError(f"There is no file {path}. Check the path.")
        if not path.is_file():
            raise AudioError(f"{path} is not an ordinary file. Save the speech to a file first.")
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioError(f"{path} is empty (0 bytes). Record or copy it again.")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise AudioError(f"{path} cannot be read: {error}. Check the path and its permissions.") from error


def _read_npy(path: Path) -> Float32:
    try:
        # Mapped, so that a header that promises terabytes allocates nothing.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, OverflowError) as error:
        raise AudioError(f"{path} is not a NumPy array that can be read ({error}). Save it with numpy.save.") from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or not np.issubdtype(array.dtype, np.floating):
        raise AudioError(f"{path} must hold one row of floats, 16 kHz mono, in -1..1. Save it as such.")
    if len(array) > MAX_HOURS * 3600 * SAMPLE_RATE_HZ:
        raise AudioError(_too_long(path))
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused as such
        return np.array(array, np.float32)


def _decode(path: Path, partial: bool) -> Float32:
    limit = MAX_HOURS * 3600 * SAMPLE_RATE_HZ
    pieces: list[Float32] = []
    total = 0
    for piece in decode_mono(path, partial):
        pieces.append(piece)
        total += len(piece)
        if total > limit:
            raise AudioError(_too_long(path))
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _too_long(path: Path) -> str:
    return f"{path} is longer than {MAX_HOURS} hours. Cut it into parts."


class FileSource(Closing):
    """A file that plays like a microphone (see `base.AudioSource`), in blocks of 10 ms from the first `read` on.

    `samples` (N,) float32 16 kHz, then `pause_s` of silence; `loop` starts again after it; without it the last block
    may be shorter and the state is "ended" after it. `speed` scales time; None gives blocks as fast as they are
    read.
    """

    reconnects = 0

    def __init__(
        self,
        samples: Float32,
        name: str = "file",
        *,
        loop: bool = True,
        pause_s: float = 0.0,
        speed: float | None = 1.0,
    ) -> None:
        if samples.ndim != 1 or samples.size == 0:
            raise AudioError("The audio holds no samples. Choose a recording with speech in it.")
        pause = np.zeros(round(pause_s * SAMPLE_RATE_HZ), np.float32)
        self._samples = np.concatenate([samples, pause]).astype(np.float32, copy=False)
        self._loop = loop
        self._position = 0
        self._pacer = Pacer(speed)
        self._closed = False
        self.name = name

    @classmethod
    def open(
        cls, path: str | Path, *, loop: bool = True, pause_s: float = 0.0, speed: float | None = 1.0
    ) -> FileSource:
        """From a file; raises AudioError as `read_audio` does."""
        return cls(read_audio(path), str(path), loop=loop, pause_s=pause_s, speed=speed)

    @property
    def state(self) -> SourceState:
        return "ended" if self._closed or self._position >= len(self._samples) else "live"

    @property
    def overflows(self) -> int:
        return self._pacer.overflows

    def read(self, timeout_s: float) -> AudioBlock | None:
        """The next 10 ms, when they have sounded."""
        if self.state == "ended":
            return None
        left = len(self._samples) - self._position
        size = BLOCK_SAMPLES if self._loop else min(BLOCK_SAMPLES, left)
        due = self._pacer.wait(size, timeout_s)
        if due is None or self._closed:
            return None
        block = self._take(size, due.skipped_samples)
        return AudioBlock(block, due.captured_s, due.skipped_samples > 0) if block.size else None

    def close(self) -> None:
        self._closed = True

    def _take(self, size: int, skipped: int) -> Float32:
        start = self._position + skipped
        if not self._loop:
            self._position = min(start + size, len(self._samples))
            return self._samples[start : start + size].copy()
        self._position = (start + size) % len(self._samples)
        return self._samples[np.arange(start, start + size) % len(self._samples)]

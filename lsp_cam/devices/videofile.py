"""Frames and speech into a video file: H.264 and AAC in MP4, MOV or MKV.

While it is written it is called NAME.part: a fragmented file, so that one cut off at any byte (a killed process, a
power cut, a full disk) plays up to its last two seconds. `close` turns it into an ordinary file with its index in front
and gives it its name; until then a file of that name stays as it was.
"""

from __future__ import annotations

import queue
import tempfile
import threading
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from ..errors import DeviceError, UsageError
from ..packets import Float32, UInt8
from .base import Closing
from .encode import Encoder, Seal, finalise
from .fit import Fitter, even

SUFFIXES = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
QUEUE_FRAMES = 8
Work = UInt8 | Float32 | None


class VideoFileSink(Closing):
    """A video file (see `base.FrameSink`). The same frames and speech give the same bytes.

    `add_speech` may run ahead of the frames: sound is written as the frames advance, and what sounds more than half a
    second after the last frame is left out. A thread encodes, which also keeps Ctrl-C out of the encoder: `close` after
    one finishes the file with the frames that were sent.

    `seal` makes the finished file's last copy (`encode.finalise`); `is_sealed` tells whether it did.

    Raises UsageError for a suffix it does not know, DeviceError for a folder that is missing or not writable: at once.
    """

    wants_frames = True

    def __init__(self, path: str | Path, *, speech: Float32 | None = None, seal: Seal | None = None) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + ".part")
        self.frames = 0
        self.seal = seal
        self.is_sealed = False
        self._fps = Fraction(0)
        self._fitter: Fitter | None = None
        self._work: queue.Queue[Work] = queue.Queue(QUEUE_FRAMES)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._told = False
        self._speech = [] if speech is None else [speech]
        check_target(self.path)

    def open(self, width: int, height: int, fps: float) -> None:
        """Start the file; odd sizes are made even. Raises DeviceError if it cannot be written."""
        if not 0 < fps <= 240:
            raise UsageError(f"{fps:g} frames per second are not possible. Choose 1 to 240.")
        self._fps = Fraction(fps).limit_denominator(1001)
        self._fitter = Fitter(even(width), even(height))
        encoder = Encoder(self.part, SUFFIXES[self.path.suffix.lower()], even(width), even(height), self._fps)
        self._thread = threading.Thread(target=self._encode, args=(encoder,), name="video file", daemon=True)
        self._thread.start()
        for samples in self._speech:
            self._put(samples)

    def send(self, rgb: UInt8) -> None:
        """One more frame. Raises DeviceError if the file cannot be written on (a full disk)."""
        if self._fitter is None:
            raise DeviceError(f"{self.path} got a frame before it was opened.")
        self._put(self._fitter.fit(rgb).copy())
        self.frames += 1

    def add_speech(self, samples: Float32) -> None:
        """(N,) float32 16 kHz: what sounds next, from the first frame on."""
        if self._thread is None:
            self._speech.append(samples)
        else:
            self._put(np.array(samples, np.float32))

    def close(self) -> None:
        """Finish the file and give it its name; raises DeviceError if that fails. Without a frame there is no file."""
        if not self._end_thread() or self._told:
            return
        self._raise()
        if self.frames == 0:
            self.part.unlink(missing_ok=True)
            return
        self.is_sealed = finalise(self.part, self.path, SUFFIXES[self.path.suffix.lower()], self.seal)

    def abandon(self) -> None:
        """End the file under its name with .part, where it plays; a file of the name itself stays as it was."""
        self._end_thread()
        if self.frames == 0:
            self.part.unlink(missing_ok=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ctrl-C makes the file shorter; an error makes it wrong, so that it does not get its name."""
        if error is not None and isinstance(error, Exception):
            self.abandon()
        else:
            self.close()

    def describe(self) -> str:
        size = f", {self._fitter.width}x{self._fitter.height} at {float(self._fps):g} fps" if self._fitter else ""
        return f"{self.path}{size}"

    def _put(self, work: Work) -> None:
        while True:
            self._raise()
            if self._thread is None:
                raise DeviceError(f"{self.path} is closed.")
            with suppress(queue.Full):
                self._work.put(work, timeout=0.1)
                return

    def _end_thread(self) -> bool:
        """False if it had ended already."""
        if self._thread is None:
            return False
        thread, self._thread = self._thread, None
        while thread.is_alive():
            with suppress(queue.Full):
                self._work.put(None, timeout=0.1)
                break
        thread.join()
        return True

    def _raise(self) -> None:
        if self._error is not None:
            self._told = True
            raise self._error

    def _encode(self, encoder: Encoder) -> None:
        """The thread: everything until None, then the end of the file."""
        try:
            while (work := self._work.get()) is not None:
                if work.ndim == 3:
                    encoder.frame(np.asarray(work, np.uint8))
                else:
                    encoder.speech(np.asarray(work, np.float32))
            encoder.close()
        except BaseException as error:
            self._error = error
            encoder.abandon()


def check_target(path: Path) -> None:
    """Raises UsageError or DeviceError if `path` cannot become a video, before any work is done for it."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"'{path.name}' must end in .mp4, .mov or .mkv. Change the name.")
    if path.is_dir():
        raise DeviceError(f"{path} is a folder. Give the path of a file.")
    folder = path.parent
    if not folder.is_dir():
        raise DeviceError(f"There is no folder {folder}. Create it: mkdir -p {folder}")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise DeviceError(f"{folder} cannot be written to ({error.strerror}). Choose another folder.") from error

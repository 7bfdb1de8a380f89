"""What comes back: pictures seen in the camera or the preview, sound heard in the virtual microphone."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from ..devices.base import BLOCK_SAMPLES
from ..devices.pipewirecam import NODE, PROGRAM
from ..devices.preview import PreviewSink
from ..devices.pulseguard import HEARD_BACK
from ..devices.virtualmic import SOURCE
from ..errors import DeviceError
from ..packets import SAMPLE_RATE_HZ, Float32, UInt8
from .pattern import read_picture

WAIT_S = 0.5
RETRY_S = 3.0
Look = Callable[[], UInt8 | None]


class Eye(threading.Thread):
    """Notes when each picture of the pattern was seen first; `look` waits for the next picture."""

    def __init__(self, look: Look) -> None:
        super().__init__(name="eye", daemon=True)
        self.seen_s: dict[int, float] = {}
        self.flashes: set[int] = set()
        self.over, self.began = threading.Event(), threading.Event()
        self._look = look

    def run(self) -> None:
        while not self.over.is_set():
            frame = self._look()
            now_s = time.monotonic()
            found = None if frame is None else read_picture(frame)
            if found is None or found[0] in self.seen_s:
                continue
            self.seen_s[found[0]] = now_s
            self.began.set()
            if found[1]:
                self.flashes.add(found[0])


class Ear(threading.Thread):
    """Hears LSP Mic, and knows when each sample was heard."""

    def __init__(self) -> None:
        super().__init__(name="ear", daemon=True)
        import pasimple

        self.over = threading.Event()
        self._blocks: list[bytes] = []
        self._begun_s: list[float] = []
        try:
            self._stream = pasimple.PaSimple(
                pasimple.PA_STREAM_RECORD, pasimple.PA_SAMPLE_S16LE, 1, SAMPLE_RATE_HZ, "lsp-cam", HEARD_BACK,
                device_name=SOURCE, fragsize=2 * BLOCK_SAMPLES,
            )  # fmt: skip
        except pasimple.PaSimpleError as error:
            raise DeviceError(f"LSP Mic cannot be heard ({error}). Is the sound server running?") from None

    def run(self) -> None:
        while not self.over.is_set():
            self._blocks.append(self._stream.read(2 * BLOCK_SAMPLES))
            heard_s = time.monotonic() - self._stream.get_latency() / 1e6
            self._begun_s.append(heard_s - len(self._blocks) * BLOCK_SAMPLES / SAMPLE_RATE_HZ)
        self._stream.close()

    def heard(self) -> tuple[float, Float32]:
        """When the first sample was heard (monotonic), and all samples (N,)."""
        levels = np.frombuffer(b"".join(self._blocks), "<i2")
        return float(np.median(self._begun_s)) if self._begun_s else 0.0, (levels / 32768).astype(np.float32)


@contextmanager
def seen_in_camera(path: str) -> Iterator[Look]:
    """Pictures of a camera device (Linux), read as any program reads it."""
    camera: Any = cv2.VideoCapture(path, cv2.CAP_V4L2)
    if not camera.isOpened():
        raise DeviceError(f"{path} cannot be read back. Close the program that reads it, and try again.")
    try:
        yield lambda: _converted(camera.read())
    finally:
        camera.release()


@contextmanager
def seen_in_pipewire(width: int, height: int) -> Iterator[Look]:
    """Pictures of our PipeWire camera, read as any program of PipeWire's reads it: their brightness alone."""
    caps = f"video/x-raw,format=YUY2,width={width},height={height}"
    command = [PROGRAM, "-q", "pipewiresrc", f"target-object={NODE}", "!", caps, "!", "fdsink", "fd=1"]
    size, patience_s = width * height * 2, RETRY_S
    reader, over = _reader(command), False

    def look() -> UInt8 | None:
        nonlocal reader, patience_s
        assert reader.stdout is not None
        data = b""
        while len(data) < size:
            ready, _, _ = select.select([reader.stdout], [], [], patience_s)
            part = os.read(reader.stdout.fileno(), size - len(data)) if ready else b""
            if not part:  # whoever comes before the camera is sent away, and waits for nothing
                _end(reader)
                if not over:
                    reader, patience_s = _reader(command), 2 * patience_s
                return None
            data += part
        brightness = np.frombuffer(data, np.uint8).reshape(height, width, 2)[..., :1]
        return np.repeat(brightness, 3, axis=2)

    try:
        yield look
    finally:
        over = True
        _end(reader)


@contextmanager
def seen_in_preview(preview: PreviewSink) -> Iterator[Look]:
    """Pictures of the preview, as a browser gets them: JPEG."""
    last = 0

    def look() -> UInt8 | None:
        nonlocal last
        found = preview.wait_jpeg(last, WAIT_S)
        if found is None:
            return None
        last = found[0]
        return _converted((True, cv2.imdecode(np.frombuffer(found[1], np.uint8), cv2.IMREAD_COLOR)))

    with preview.watch():
        yield look


def _reader(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)


def _end(reader: subprocess.Popen[bytes]) -> None:
    reader.kill()
    reader.wait()


def can_be_heard() -> bool:
    """Whether the virtual microphone is one that can be heard back here."""
    return sys.platform == "linux"


def _converted(read: tuple[bool, Any]) -> UInt8 | None:
    """A picture of OpenCV's, (H, W, 3) RGB."""
    done, frame = read
    return np.asarray(frame[..., ::-1], np.uint8) if done and frame is not None else None

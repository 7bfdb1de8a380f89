"""The preview page's source of pictures: the newest frame, as JPEG, for whoever watches."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from ..errors import DeviceError
from ..packets import UInt8
from .base import Closing
from .fit import Fitter

JPEG_QUALITY = 85


class PreviewSink(Closing):
    """Holds the newest frame (see `base.FrameSink`); any number of threads may watch it.

    A frame is encoded only when somebody watches, and once for all who do. `wants_frames` follows the watchers.
    """

    def __init__(self, quality: int = JPEG_QUALITY) -> None:
        self._quality = quality
        self._changed = threading.Condition()
        self._encoding = threading.Lock()
        self._fitter: Fitter | None = None
        self._fps = 0.0
        self._frame: UInt8 | None = None
        self._sequence = 0
        self._jpeg: tuple[int, bytes] = (0, b"")
        self._watchers = 0
        self._closed = False

    @property
    def wants_frames(self) -> bool:
        return self._watchers > 0

    @property
    def watchers(self) -> int:
        return self._watchers

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Counts the caller as a watcher while the `with` lasts."""
        with self._changed:
            self._watchers += 1
        try:
            yield
        finally:
            with self._changed:
                self._watchers -= 1

    def open(self, width: int, height: int, fps: float) -> None:
        with self._changed:
            self._fitter = Fitter(width, height)
            self._fps = fps
            self._closed = False

    def send(self, rgb: UInt8) -> None:
        if self._fitter is None:
            raise DeviceError("The preview got a frame before it was opened.")
        # The last frame is kept even when nobody watches, so that a page that opens shows something at once.
        frame = self._fitter.fit(rgb).copy()
        with self._changed:
            self._frame = frame
            self._sequence += 1
            self._changed.notify_all()

    def wait_jpeg(self, after: int, timeout_s: float) -> tuple[int, bytes] | None:
        """The newest frame if its number is greater than `after` (0: any), as (number, JPEG).

        Waits for one; None if none came within `timeout_s` or the sink was closed. Call it inside `watch()`.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._sequence > after or self._closed, timeout_s)
            if self._closed or self._frame is None or self._sequence <= after:
                return None
        with self._encoding:
            with self._changed:
                sequence, frame = self._sequence, self._frame
            if self._jpeg[0] != sequence:
                self._jpeg = (sequence, _encode(frame, self._quality))
            return self._jpeg

    def newest(self) -> UInt8 | None:
        """A copy of the newest frame, (H, W, 3) uint8 RGB; None before the first."""
        with self._changed:
            return None if self._frame is None else self._frame.copy()

    def close(self) -> None:
        """Wakes everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def describe(self) -> str:
        size = f", {self._fitter.width}x{self._fitter.height} at {self._fps:g} fps" if self._fitter else ""
        return f"the preview page{size}"


def _encode(rgb: UInt8, quality: int) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise DeviceError("OpenCV could not encode a preview picture. Reinstall opencv-python-headless.")
    return np.asarray(data).tobytes()

"""Where pictures go: the camera, if there is one, and the preview page."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future

from ..devices.base import FrameSink
from ..devices.videofile import VideoFileSink
from ..errors import DaemonError, DeviceError
from ..packets import UInt8
from .recording import Recording

LOG = logging.getLogger(__name__)
RETRY_S = 2.0


class Outlets:
    """Sends every picture to whoever wants it.

    A camera that fails is opened again every `RETRY_S` if it is a device; writing to a file that failed is an error.
    """

    def __init__(self, camera: FrameSink | None, preview: FrameSink, is_device: bool, fps: int) -> None:
        self.camera = camera
        self.preview = preview
        self.problem: str | None = None
        self.recording = Recording(camera, fps) if isinstance(camera, VideoFileSink) else None
        self._is_device = is_device
        self._opened_with: tuple[int, int, float] = (0, 0, 0.0)
        self._retry_s = 0.0
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def open(self, width: int, height: int, fps: float) -> None:
        """Open all; raises DeviceError if one cannot be used."""
        self._opened_with = (width, height, fps)
        self.preview.open(width, height, fps)
        if self.camera is not None:
            self.camera.open(width, height, fps)

    def change(self, camera: FrameSink | None, width: int, height: int, fps: float) -> Future[None]:
        """Show on `camera` (this one, or another device; None: the preview only), in this size and at this rate.

        The camera worker does it. The result is None, or a DeviceError, after which everything is as it was before.
        """
        done: Future[None] = Future()

        def exchange() -> None:
            try:
                self._exchange(camera, (width, height, fps))
                done.set_result(None)
            except (DeviceError, DaemonError) as error:
                done.set_exception(error)

        self._requests.put(exchange)
        return done

    def meet_requests(self) -> bool:
        """Do what `change` asked for; gives whether anything was asked."""
        asked = not self._requests.empty()
        while not self._requests.empty():
            self._requests.get()()
        return asked

    def _exchange(self, camera: FrameSink | None, wanted: tuple[int, int, float]) -> None:
        if self.recording is not None:
            raise DaemonError("A video file is being written; its size and rate stay. Stop, and start as you like it.")
        if camera is not self.camera:
            if camera is not None:
                camera.open(*wanted)
            before, self.camera, self._is_device = self.camera, camera, True
            if before is not None:
                before.close()
        elif camera is not None and wanted != self._opened_with:
            self._reopen(camera, wanted)
        self.problem = None
        self.preview.open(*wanted)
        self._opened_with = wanted

    def _reopen(self, camera: FrameSink, wanted: tuple[int, int, float]) -> None:
        camera.close()
        try:
            camera.open(*wanted)
        except DeviceError:
            camera.open(*self._opened_with)
            raise

    @property
    def wants_frames(self) -> bool:
        """Whether anybody would see a picture."""
        camera = self.camera is not None and self.problem is None and self.camera.wants_frames
        return camera or self.preview.wants_frames

    @property
    def camera_state(self) -> str:
        """`none`, `live`, `lost`, or `idle` while nobody reads it."""
        if self.camera is None:
            return "none"
        if self.problem is not None:
            return "lost"
        return "live" if self.camera.wants_frames else "idle"

    def send(self, rgb: UInt8, frame: int | None) -> bool:
        """Show a picture of motion frame `frame` (None: the idle portrait); gives whether anybody took it."""
        taken = False
        camera = self.camera
        if camera is not None and (self.problem is None or self._reopened(camera)) and camera.wants_frames:
            try:
                camera.send(rgb)
                if self.recording is not None:
                    self.recording.shown(frame)
                taken = True
            except DeviceError as error:
                self._fail(error)
        if self.preview.wants_frames:
            self.preview.send(rgb)
            taken = True
        return taken

    def close(self) -> None:
        """Close all; a video file is complete afterwards."""
        try:
            if self.camera is not None:
                self.camera.close()
        finally:
            self.preview.close()

    def _fail(self, error: DeviceError) -> None:
        if not self._is_device:
            raise error
        LOG.warning("the camera failed: %s", error)
        self.problem = str(error)
        self._retry_s = time.monotonic() + RETRY_S

    def _reopened(self, camera: FrameSink) -> bool:
        if time.monotonic() < self._retry_s:
            return False
        try:
            camera.close()
            camera.open(*self._opened_with)
        except DeviceError as error:
            self._fail(error)
            return False
        LOG.info("the camera is back")
        self.problem = None
        return True

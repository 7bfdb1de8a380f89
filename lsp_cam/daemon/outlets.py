"""Where pictures go: the camera, if there is one, and the preview page."""

from __future__ import annotations

import logging
import time

from ..devices.base import FrameSink
from ..devices.videofile import VideoFileSink
from ..errors import DeviceError
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

    def open(self, width: int, height: int, fps: float) -> None:
        """Open all; raises DeviceError if one cannot be used."""
        self._opened_with = (width, height, fps)
        self.preview.open(width, height, fps)
        if self.camera is not None:
            self.camera.open(width, height, fps)

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

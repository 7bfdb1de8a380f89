"""The virtual camera that other programs see, through pyvirtualcam (v4l2loopback, OBS, Unity Capture)."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from ..errors import DeviceError, DeviceLost
from ..packets import UInt8
from . import v4l2
from .base import Closing
from .fit import Fitter, even
from .pixels import BY_FOURCC, FORMATS, I420

LABEL = "LSP Cam"
USUAL_SIZE = (1280, 720)
CHECK_S = 1.0
DEVICE_FOLDER = "/dev/"

_LOAD = 'sudo modprobe v4l2loopback exclusive_caps=1 card_label="LSP Cam"'
_LINUX = (
    "`lsp-cam setup` sets it up. Or by hand, on Debian: sudo apt install v4l2loopback-dkms v4l2loopback-utils; then: "
    f"{_LOAD}"
)
_WINDOWS = "Install OBS Studio 28 or newer (https://obsproject.com); start it once and press Start Virtual Camera."
_MACOS = "Install OBS Studio 30 or newer (https://obsproject.com); start it once, press Start Virtual Camera, stop it."


def remedy() -> str:
    """How a virtual camera is had on this system."""
    return {"linux": _LINUX, "win32": _WINDOWS, "darwin": _MACOS}.get(sys.platform, _LINUX)


def find_camera(wanted: str | None = None) -> str | None:
    """The device to open: on Linux its path, elsewhere the name that was wanted (None: whichever there is).

    `wanted` is a path, a number, or part of a label; None takes the device labelled "LSP Cam", else the first that no
    other program feeds. Nothing is opened for good. Raises DeviceError, with what is there, if none fits.
    """
    if sys.platform != "linux":
        return wanted
    devices = v4l2.loopbacks()
    if not devices:
        raise DeviceError(f"There is no virtual camera: v4l2loopback is not loaded. {remedy()}")
    listed = ", ".join(f"{d.path} ({d.label})" for d in devices)
    if wanted is None:
        fitting = [d for d in devices if d.label == LABEL] + devices
        free = next((d for d in fitting if not v4l2.is_fed(d)), None)
        if free is None:
            raise DeviceError(f"Another program feeds every virtual camera: {listed}. Stop it, or load one more.")
        return str(free.path)
    fitting = [d for d in devices if _fits(d, wanted)]
    if len(fitting) != 1:
        what = "Several virtual cameras fit" if fitting else "There is no virtual camera"
        raise DeviceError(f"{what} '{wanted}'. There are: {listed}. Give the path of one.")
    if v4l2.is_fed(fitting[0]):
        raise DeviceError(f"Another program feeds {fitting[0].path} ({fitting[0].label}). Stop it, or choose another.")
    return str(fitting[0].path)


def check_camera(wanted: str | None = None) -> str:
    """Whether there is such a camera, for a start that could do without: its name. Raises DeviceError if not."""
    device = find_camera(wanted)
    if sys.platform == "linux" and device is not None:
        return device
    with VirtualCamera(wanted) as camera:  # only opening it tells
        camera.open(640, 480, 30)
        return camera.describe()


class VirtualCamera(Closing):
    """A virtual camera (see `base.FrameSink`); it is looked for when it is opened, so a lost one can be opened again.

    `device` as in `find_camera`; `backend` is one of pyvirtualcam's, None tries all; `layout` is one of `FORMATS`,
    None takes what suits most. A device that is held to a size and a format, by a program that reads it or by its
    owner, is given these: frames are fitted to it.
    """

    wants_frames = True

    def __init__(self, device: str | None = None, *, backend: str | None = None, layout: str | None = None) -> None:
        self._wanted = device
        self._backend = backend
        self._layout = self._given = I420 if layout is None else FORMATS[layout]
        self._camera: Any = None
        self._fitter: Fitter | None = None
        self._checked_s = 0.0

    def open(self, width: int, height: int, fps: float) -> None:
        """Start the camera; odd sizes are made even. Raises DeviceError, with the remedy."""
        pyvirtualcam = _load()
        if self._backend is not None and self._backend not in pyvirtualcam.camera.BACKENDS:
            known = ", ".join(pyvirtualcam.camera.BACKENDS)
            raise DeviceError(f"There is no camera backend '{self._backend}' here. There are: {known}.")
        device = find_camera(self._wanted)
        self._layout = self._given
        self._camera = self._opened(device, even(width), even(height), fps)
        self._hold_to_device(fps)
        self._checked_s = time.monotonic()

    def _opened(self, device: str | None, width: int, height: int, fps: float) -> Any:
        pyvirtualcam = _load()
        for loopback in v4l2.loopbacks():
            if str(loopback.path) == device:
                v4l2.mend(loopback)
        self._fitter = Fitter(width, height)
        layout = pyvirtualcam.PixelFormat[self._layout.name]
        try:
            return pyvirtualcam.Camera(width, height, fps, fmt=layout, device=device, backend=self._backend)
        except (RuntimeError, ValueError, OSError) as error:
            raise DeviceError(_explain(device, str(error))) from error

    def _hold_to_device(self, fps: float) -> None:
        """Open the camera again as the device wants it, if that is not how it was opened."""
        device = self._camera.device
        shape = v4l2.shape_of(device) if device.startswith(DEVICE_FOLDER) else None
        if shape is None:
            return
        width, height, fourcc = shape
        layout = BY_FOURCC.get(fourcc)
        if (width, height, layout) == (self._camera.width, self._camera.height, self._layout):
            return
        self.close()
        if layout is None or width % 2 or height % 2:
            raise DeviceError(_held(device, width, height, fourcc))
        self._layout = layout
        self._camera = self._opened(device, width, height, fps)

    def send(self, rgb: UInt8) -> None:
        """Show a frame. Raises DeviceLost if the device is gone."""
        if self._camera is None or self._fitter is None:
            raise DeviceError("The virtual camera got a frame before it was opened.")
        self._check()
        try:
            self._camera.send(self._layout.encode(self._fitter.fit(rgb)))
        except (RuntimeError, OSError) as error:
            raise DeviceLost(f"The virtual camera does not take frames any more ({error}). {remedy()}") from error

    def is_called(self, wanted: str | None) -> bool:
        """Whether it is open, and `find_camera` would find it by that name if we did not feed it."""
        if self._camera is None:
            return False
        ours = [device for device in v4l2.loopbacks() if str(device.path) == self._camera.device]
        return any(wanted is None or _fits(device, wanted) for device in ours)

    def close(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def describe(self) -> str:
        if self._camera is None:
            return self._wanted or "virtual camera"
        camera = self._camera
        label = next((d.label for d in v4l2.loopbacks() if str(d.path) == camera.device), None)
        name = f"{label} ({camera.device})" if label else camera.device
        return f"{name}, {camera.width}x{camera.height} at {camera.fps:g} fps"

    def _check(self) -> None:
        """On Linux a failed write is only printed by pyvirtualcam, so look whether the device is still there."""
        now_s = time.monotonic()
        if now_s - self._checked_s < CHECK_S:
            return
        self._checked_s = now_s
        path = self._camera.device
        if path.startswith(DEVICE_FOLDER) and not os.path.exists(path):
            raise DeviceLost(f"The virtual camera {path} is gone. {remedy()}")


def _fits(device: v4l2.Loopback, wanted: str) -> bool:
    if wanted.isdecimal():
        return device.path.name == f"video{wanted}"
    return str(device.path) == os.path.realpath(wanted) or wanted.lower() in device.label.lower()


def _load() -> Any:
    try:
        import pyvirtualcam
    except ImportError as error:
        raise DeviceError(f"pyvirtualcam does not load ({error}). Install it: pip install pyvirtualcam") from error
    return pyvirtualcam


def _held(device: str, width: int, height: int, fourcc: bytes) -> str:
    name = fourcc.decode("ascii", "replace").strip("\0 ")
    return (
        f"{device} is held to {width}x{height} {name}, which lsp-cam does not write. Close the programs that use it, "
        f"or load it anew: sudo modprobe -r v4l2loopback; then: {_LOAD}"
    )


def _explain(device: str | None, message: str) -> str:
    name = device or "The virtual camera"
    reason = " ".join(message.split())
    if device is not None and os.path.exists(device) and not os.access(device, os.R_OK | os.W_OK):
        return f"{name} may not be opened by this user. Add them to its group: sudo usermod -aG video $USER"
    return f"{name} cannot be opened: {reason} {remedy()}"

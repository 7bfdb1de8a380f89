"""A camera of PipeWire's, where the kernel's module can't be had: browsers that ask for cameras through the desktop's
portal list it as LSP Cam. GStreamer makes it, in a process of its own: a fault there takes nobody along.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import DeviceError, DeviceLost
from ..packets import UInt8
from .base import Closing
from .fit import Fitter, even
from .pixels import FORMATS
from .virtualcam import LABEL

NODE = "lsp_cam"
PROGRAM = "gst-launch-1.0"
ELEMENTS = ("fdsrc", "rawvideoparse", "identity", "pipewiresink")
LAYOUT, GST_LAYOUT = FORMATS["yuy2"], "yuy2"
PACKAGES = "gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-pipewire"
ENDING_S = 5.0
WRONG_AT_ONCE_S = 0.5
REMEDY = f"On Debian and Ubuntu: sudo apt install pipewire wireplumber {PACKAGES}"


def check_pipewire() -> None:
    """Whether there can be such a camera. Raises DeviceError, with the remedy."""
    inspect = shutil.which("gst-inspect-1.0")
    if not shutil.which(PROGRAM) or inspect is None:
        raise DeviceError(f"A PipeWire camera needs GStreamer's tools, which are not here. {REMEDY}")
    for element in ELEMENTS:
        # Its --exists compares PipeWire's version with GStreamer's.
        if subprocess.run([inspect, element], capture_output=True, check=False).returncode:
            raise DeviceError(f"A PipeWire camera needs GStreamer's {element}, which is not here. {REMEDY}")
    if not _socket().exists():
        raise DeviceError(
            f"PipeWire does not run ({_socket()} is not there). Start it: systemctl --user start pipewire"
        )


class PipewireCamera(Closing):
    """See `base.FrameSink`. Pictures that nobody takes in time are left out."""

    wants_frames = True

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._said: Any = None
        self._fitter: Fitter | None = None
        self._shape = (0, 0, 0.0)
        self._newest: bytes | None = None
        self._changed = threading.Condition()
        self._writer: threading.Thread | None = None

    def open(self, width: int, height: int, fps: float) -> None:
        self.close()
        check_pipewire()
        self._shape = (even(width), even(height), fps)
        self._newest = None  # one of another size would shift all that follow
        self._fitter = Fitter(*self._shape[:2])
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._process = subprocess.Popen(
            _command(*self._shape), stdin=subprocess.PIPE, stdout=self._said, stderr=self._said, start_new_session=True
        )
        self._writer = threading.Thread(target=self._write, args=(self._process,), name="pipewire", daemon=True)
        self._writer.start()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(WRONG_AT_ONCE_S)
            raise DeviceError(f"PipeWire does not take a camera: {self._complaint()}")

    def send(self, rgb: UInt8) -> None:
        process = self._process
        if process is None or self._fitter is None:
            raise DeviceError("The PipeWire camera got a frame before it was opened.")
        if process.poll() is not None:
            raise DeviceLost(f"The PipeWire camera is gone: {self._complaint()}")
        frame = LAYOUT.encode(self._fitter.fit(rgb)).tobytes()
        with self._changed:
            self._newest = frame
            self._changed.notify()

    def close(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with self._changed:
            self._changed.notify()
        if self._writer is not None:
            self._writer.join(ENDING_S)
        if process.stdin is not None:
            with suppress(OSError):
                process.stdin.close()
        self._said.close()

    def describe(self) -> str:
        width, height, fps = self._shape
        return f"{LABEL} (PipeWire), {width}x{height} at {fps:g} fps"

    def _write(self, process: subprocess.Popen[bytes]) -> None:
        """The writer's thread: hands the newest picture on, and never lets the sender wait."""
        assert process.stdin is not None
        with suppress(OSError, ValueError):  # the process has ended; `send` tells
            while process.poll() is None and self._process is process:
                with self._changed:
                    self._changed.wait_for(lambda: self._newest is not None or self._process is not process, 1.0)
                    frame, self._newest = self._newest, None
                if frame is not None:
                    process.stdin.write(frame)
                    process.stdin.flush()

    def _complaint(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").split("\n")
        told = [line for line in lines if "ERROR" in line] or [line for line in lines if line.strip()]
        return told[0].strip() if told else "GStreamer ended without a word"


def _command(width: int, height: int, fps: float) -> list[str]:
    # A value with a space must be escaped for the parser of structures, behind the parser of pipelines.
    words = LABEL.replace(" ", r"\040")
    node = f'node.name=(string){NODE},node.description=(string)"{words}"'
    properties = f"media.class=(string)Video/Source,media.role=(string)Camera,{node}"
    return [
        PROGRAM, "-q", "fdsrc", "fd=0",
        "!", "rawvideoparse", f"format={GST_LAYOUT}", f"width={width}", f"height={height}", f"framerate={round(fps)}/1",
        # The sink's own buffers are empty ones (seen with PipeWire 0.3.65), on which whoever fills them stumbles.
        "!", "identity", "drop-allocation=true",
        "!", "pipewiresink", "mode=provide", "sync=false", f"stream-properties=props,{properties}",
    ]  # fmt: skip


def _socket() -> Path:
    folder = os.environ.get("PIPEWIRE_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{_user()}"
    return Path(folder) / os.environ.get("PIPEWIRE_REMOTE", "pipewire-0")


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0

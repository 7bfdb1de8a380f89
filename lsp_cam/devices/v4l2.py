"""Linux's virtual cameras: which there are, and the one that its driver left unusable, mended.

With exclusive_caps=1, v4l2loopback 0.12.7 (Debian 12) leaves a device unwritable when its first writer closes it, and
looking as if it were fed for as long as somebody still reads it; only the end of a stream, which writers never start,
gives the state back. `mend` sends that end. While somebody reads a device, it also keeps its format: see `shape_of`.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SYS = Path("/sys/class/video4linux")
DEV = Path("/dev")
FED_S = 0.5

_QUERYCAP = 0x80685600
_G_FMT = 0xC0D05604
_STREAMOFF = 0x40045612
_OUTPUT_TYPE = 2
_OUTPUT_STREAM = struct.pack("i", _OUTPUT_TYPE)
_CAPABILITY = struct.Struct("16s32s32sIII12x")
_FORMAT = struct.Struct("I4xII4s188x")
_CAPTURE, _OUTPUT, _DEVICE_CAPS = 0x1, 0x2, 0x80000000


@dataclass(frozen=True, slots=True)
class Loopback:
    """A v4l2loopback device. `writable`: it takes frames; `taken`: it says that a program feeds it (see `is_fed`)."""

    path: Path
    label: str
    writable: bool = True
    taken: bool = False


def loopbacks() -> list[Loopback]:
    """Every v4l2loopback device, in the order of their numbers; empty where there are none, or no Linux."""
    if not SYS.is_dir():
        return []
    # What is not virtual is a real camera, which must not be opened just to look at it.
    nodes = [node for node in SYS.iterdir() if "virtual" in node.resolve().parts]
    found = [look(DEV / node.name) for node in sorted(nodes, key=_number)]
    return [device for device in found if device is not None]


def is_fed(device: Loopback) -> bool:
    """Whether a program feeds a device that says so; waits `FED_S` for a frame to come."""
    if not device.taken:
        return False
    try:
        descriptor = os.open(device.path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        _new_frame(descriptor)  # an old one
        deadline_s = time.monotonic() + FED_S
        while time.monotonic() < deadline_s:
            if _new_frame(descriptor):
                return True
            time.sleep(FED_S / 20)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)


def mend(device: Loopback) -> None:
    """End the stream that keeps a device which nobody feeds from being written to, if that is what it suffers from."""
    if device.writable:
        return
    import fcntl

    with suppress(OSError):  # a newer driver knows no such stream (EINVAL), and does not need it
        descriptor = os.open(device.path, os.O_RDWR | os.O_NONBLOCK)
        try:
            fcntl.ioctl(descriptor, _STREAMOFF, _OUTPUT_STREAM)
        finally:
            os.close(descriptor)


def shape_of(path: str) -> tuple[int, int, bytes] | None:
    """Width, height and FourCC that writers of a device must keep to; None if it does not say.

    The driver answers a wish for another format with success and the format that readers hold it to.
    """
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        answer = fcntl.ioctl(descriptor, _G_FMT, _FORMAT.pack(_OUTPUT_TYPE, 0, 0, b""))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    _, width, height, fourcc = _FORMAT.unpack(answer)
    return width, height, fourcc


def _new_frame(descriptor: int) -> bool:
    try:
        return len(os.read(descriptor, 1)) > 0
    except BlockingIOError:
        return False


def _number(node: Path) -> tuple[int, str]:
    digits = node.name.removeprefix("video")
    return (int(digits) if digits.isdecimal() else 1 << 30, node.name)


def look(path: Path) -> Loopback | None:
    """The v4l2loopback device at `path`; None if it is something else, or not there."""
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        # It is there but may not be opened: let opening it tell why.
        return Loopback(path, _label(path)) if path.exists() else None
    try:
        answer = fcntl.ioctl(descriptor, _QUERYCAP, bytes(_CAPABILITY.size))
    except OSError:
        return None
    finally:
        os.close(descriptor)
    driver, card, _, _, general, own = _CAPABILITY.unpack(answer)
    if driver.rstrip(b"\0") != b"v4l2 loopback":
        return None
    able = own if general & _DEVICE_CAPS else general
    label = card.rstrip(b"\0").decode(errors="replace")
    return Loopback(path, label, bool(able & _OUTPUT), bool(able & _CAPTURE) and not able & _OUTPUT)


def _label(path: Path) -> str:
    try:
        return (SYS / path.name / "name").read_text().strip()
    except OSError:
        return path.name

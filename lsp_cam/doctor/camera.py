"""The virtual camera, and the encoders of video files."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..devices import v4l2
from ..devices.readers import programs_of
from . import probes
from .check import Check, problem
from .remedies import CAMERA, JOIN_VIDEO, LABEL, LOAD, LOG_IN_AGAIN, RELOAD, as_user, reinstall, remedy, system

SYS = Path("/sys")
DEV = Path("/dev")
Look = Callable[[Path], v4l2.Loopback | None]


def check_camera() -> Iterator[Check]:
    """A virtual camera that other programs can read."""
    if system() in ("macos", "windows"):
        answer = probes.ask("camera")
        ok = "device" in answer
        found = str(answer["device"]) if ok else problem(answer)
        yield Check("virtual-camera", ok, "fallback", found, "" if ok else remedy(CAMERA))
    else:
        yield loopback_camera()


def loopback_camera(sys_folder: Path = SYS, dev_folder: Path = DEV, look: Look = v4l2.look) -> Check:
    """The v4l2loopback devices, as the kernel tells of them below `sys_folder`."""
    nodes = sorted((sys_folder / "devices/virtual/video4linux").glob("video*"))
    names = {dev_folder / d.name: (d / "name").read_text().strip() for d in nodes if (d / "name").is_file()}
    loaded = (sys_folder / "module/v4l2loopback").is_dir()
    devices = [device for device in map(look, names) if device is not None] if loaded else []
    if not devices:
        others = ", ".join(f"{path} ({name}) is no loopback" for path, name in names.items())
        state = "v4l2loopback is loaded without a device" if loaded else "none; the preview page stands in"
        return _absent(f"{state}; {others}" if others else state, as_user(RELOAD) if loaded else _load())
    listed = ", ".join(f"{device.label} ({device.path})" for device in devices)
    forbidden = [d.path for d in devices if not os.access(d.path, os.R_OK | os.W_OK)]
    if len(forbidden) == len(devices):
        return _absent(f"{listed}: you may not write to it", _permission(forbidden[0]))
    caps = sys_folder / "module/v4l2loopback/parameters/exclusive_caps"
    if caps.is_file() and caps.read_text().startswith("N"):
        return _absent(f"{listed}: browsers will not list it", as_user(RELOAD))
    return _busy(devices, listed) or _usable(devices, listed)


def check_codecs() -> Iterator[Check]:
    """The encoders of a video file."""
    answer = probes.ask("codecs")
    missing = answer.get("missing")
    ok = missing == []
    found = f"PyAV {answer['version']}: {', '.join(probes.VIDEO_ENCODERS)}" if ok else problem(answer)
    if missing:
        found = f"PyAV lacks {', '.join(missing)}"
    yield Check("video-codecs", ok, "fallback", found, "" if ok else reinstall("av"))


def _usable(devices: list[v4l2.Loopback], listed: str) -> Check:
    named = any(device.label == LABEL for device in devices)
    return Check(
        "virtual-camera", True, "fallback", listed, "" if named else f"{as_user(RELOAD)}  # to name it {LABEL}"
    )


def _busy(devices: list[v4l2.Loopback], listed: str) -> Check | None:
    """Where another program than ours feeds every one of `devices`."""
    from ..daemon.runtime import Runtime

    if Runtime().is_running() or not all(v4l2.is_fed(device) for device in devices):
        return None
    programs = programs_of(str(devices[0].path))
    fix = "Stop the program that feeds it"
    if len(programs) == 1:
        fix = "".join(f"kill {number}  # {name}" for number, name in programs.items())
    elif programs:
        fix += f"; it is one of {', '.join(f'{name} ({number})' for number, name in programs.items())}"
    return _absent(f"{listed}: another program feeds it", fix)


def _absent(found: str, fix: str) -> Check:
    return Check("virtual-camera", False, "fallback", found, fix)


def _permission(path: Path) -> str:
    """How this user gets to write to the device: by its group, if that may and the group is the usual one."""
    if sys.platform == "win32":
        return ""
    import grp
    import pwd

    found = path.stat()
    group = grp.getgrgid(found.st_gid)
    if group.gr_name != "video" or found.st_mode & 0o060 != 0o060:
        where = shlex.quote(str(path))
        return as_user(f"sudo chgrp video {where} && sudo chmod 660 {where} && {JOIN_VIDEO}")
    user = pwd.getpwuid(os.getuid())
    member = user.pw_name in group.gr_mem or user.pw_gid == group.gr_gid
    return LOG_IN_AGAIN if member else as_user(JOIN_VIDEO)


def _load() -> str:
    """The command for a kernel module that is not loaded; it may be installed already."""
    there = any(Path("/lib/modules", platform.release()).rglob("v4l2loopback.ko*"))
    return as_user(LOAD) if there else remedy(CAMERA)

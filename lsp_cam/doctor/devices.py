"""The microphone, the virtual camera and the encoders of video files."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

from . import probes
from .check import Check, problem
from .remedies import CAMERA, JOIN_VIDEO, LABEL, LOAD, MICROPHONE, PORTAUDIO, RELOAD, VOICE, reinstall, remedy, system

SYS = Path("/sys")
DEV = Path("/dev")


def check_audio() -> Iterator[Check]:
    """PortAudio and a microphone."""
    answer = probes.ask("audio")
    version, inputs = answer.get("version"), answer.get("inputs", [])
    broken = "" if version else remedy(PORTAUDIO) or reinstall("sounddevice")
    yield Check("portaudio", bool(version), "fallback", version or problem(answer), broken)
    found = ", ".join(inputs) or "none; the sample speech stands in"
    yield Check("microphone", bool(inputs), "fallback", found, "" if inputs else broken or remedy(MICROPHONE))


def check_voice() -> Iterator[Check]:
    """A virtual microphone, in which the voice keeps time with the picture."""
    answer = probes.ask("voice")
    ok = "device" in answer
    found = str(answer["device"]) if ok else "none; others hear you before they see you speak"
    yield Check("virtual-microphone", ok, "fallback", found, "" if ok else remedy(VOICE))


def check_camera() -> Iterator[Check]:
    """A virtual camera that other programs can read."""
    if system() in ("macos", "windows"):
        answer = probes.ask("camera")
        ok = "device" in answer
        found = str(answer["device"]) if ok else problem(answer)
        yield Check("virtual-camera", ok, "fallback", found, "" if ok else remedy(CAMERA))
    else:
        yield loopback_camera()


def loopback_camera(sys_folder: Path = SYS, dev_folder: Path = DEV) -> Check:
    """The v4l2loopback devices, as the kernel tells of them below `sys_folder`."""
    devices = sorted((sys_folder / "devices/virtual/video4linux").glob("video*"))
    names = {dev_folder / d.name: (d / "name").read_text().strip() for d in devices if (d / "name").is_file()}
    usable = [path for path in names if os.access(path, os.R_OK | os.W_OK)]
    if not names:
        loaded = (sys_folder / "module/v4l2loopback").is_dir()
        state = "v4l2loopback is loaded without a device" if loaded else "none; the preview page stands in"
        return Check("virtual-camera", False, "fallback", state, RELOAD if loaded else _load())
    listed = ", ".join(f"{name} ({path})" for path, name in names.items())
    if not usable:
        return Check("virtual-camera", False, "fallback", f"{listed}: you may not write to it", JOIN_VIDEO)
    caps = sys_folder / "module/v4l2loopback/parameters/exclusive_caps"
    if caps.is_file() and caps.read_text().startswith("N"):
        return Check("virtual-camera", False, "fallback", f"{listed}: browsers will not list it", RELOAD)
    fix = "" if LABEL in names.values() else f"{RELOAD}  (only to have it called {LABEL})"
    return Check("virtual-camera", True, "fallback", listed, fix)


def check_codecs() -> Iterator[Check]:
    """The encoders of a video file."""
    answer = probes.ask("codecs")
    missing = answer.get("missing")
    ok = missing == []
    found = f"PyAV {answer['version']}: {', '.join(probes.VIDEO_ENCODERS)}" if ok else problem(answer)
    if missing:
        found = f"PyAV lacks {', '.join(missing)}"
    yield Check("video-codecs", ok, "fallback", found, "" if ok else reinstall("av"))


def _load() -> str:
    """The command for a kernel module that is not loaded; it may be installed already."""
    there = any(Path("/lib/modules", platform.release()).rglob("v4l2loopback.ko*"))
    return LOAD if there else remedy(CAMERA)

"""What a system has of what lsp-cam needs of it."""

from __future__ import annotations

import ctypes.util
import grp
import os
import platform
import pwd
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..devices.pipewirecam import PACKAGES
from ..doctor.remedies import LABEL, system
from ..errors import UsageError

GROUP = "video"
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

DRIVER: Mapping[str, tuple[str, ...]] = {
    "debian": ("v4l2loopback-dkms", "linux-headers-{release}"),
    "fedora": ("akmod-v4l2loopback", "kernel-devel-{release}"),
    "arch": ("v4l2loopback-dkms", "linux-headers"),
    "suse": ("v4l2loopback-kmp-default",),
}
SOUND: Mapping[str, tuple[str, ...]] = {
    "debian": ("libportaudio2", "libasound2-plugins"),
    "fedora": ("portaudio", "alsa-plugins-pulseaudio"),
    "arch": ("portaudio", "alsa-plugins"),
    "suse": ("libportaudio2", "alsa-plugins-pulse"),
}
FALLBACK: Mapping[str, tuple[str, ...]] = {"debian": ("pipewire", "wireplumber", *PACKAGES.split())}
"""For a camera without the driver, where that can't be had."""
INSTALLED: Mapping[str, tuple[str, ...]] = {
    "debian": ("dpkg-query", "-W", "-f=${db:Status-Abbrev}"),
    "fedora": ("rpm", "-q"),
    "arch": ("pacman", "-Q"),
    "suse": ("rpm", "-q"),
}


@dataclass(frozen=True)
class Facts:
    """A system. `missing`: packages to install; `buildable`: whether the kernel's headers are there or can be had;
    if not there is to be a PipeWire camera instead.

    `driver`: the kernel module is there; `fit`: it is loaded with a device that browsers list as LSP Cam;
    `signed_only`: Secure Boot is on, the kernel takes signed modules alone; `others`: files that set options of the
    module.
    """

    family: str
    release: str
    user: str
    member: bool
    driver: bool
    loaded: bool
    fit: bool
    missing: tuple[str, ...]
    buildable: bool
    signed_only: bool
    others: tuple[Path, ...]


def facts(root: Path = Path("/"), release: str | None = None) -> Facts:
    """Look at the system below `root`. UsageError where it is none that `setup` knows."""
    family = system()
    if family not in DRIVER:
        raise UsageError(
            "lsp-cam setup knows Debian, Fedora, Arch, openSUSE and what comes of them. See `lsp-cam doctor` for what "
            "is missing here, and docs/windows-macos.md for Windows and macOS."
        )
    release = release or platform.release()
    modules = root / "lib/modules" / release
    driver = any(modules.rglob("v4l2loopback.ko*"))
    wanted = [*SOUND[family]] if _deaf() else []
    to_build = [] if driver else [package.format(release=release) for package in DRIVER[family]]
    buildable = driver or (modules / "build").exists() or _available(family, to_build)
    if not buildable:
        wanted += FALLBACK[family]
    elif not driver:
        wanted += [*to_build, *_later_headers(family)]
    missing = tuple(package for package in dict.fromkeys(wanted) if not installed(family, package))
    user = user_name()
    return Facts(
        family=family,
        release=release,
        user=user,
        member=user == "root" or is_member(user),
        driver=driver,
        loaded=(root / "sys/module/v4l2loopback").is_dir(),
        fit=_fit(root),
        missing=missing,
        buildable=buildable,
        signed_only=_signed_only(root),
        others=tuple(_setting_options(root)),
    )


def user_name() -> str:
    """Who is to use the camera: whoever called sudo or pkexec, if that was done."""
    if name := os.environ.get("SUDO_USER"):
        return name
    return pwd.getpwuid(int(os.environ.get("PKEXEC_UID", os.getuid()))).pw_name


def is_member(user: str) -> bool:
    """Whether the system's files say that the user is in the group video."""
    try:
        group = grp.getgrnam(GROUP)
        return user in group.gr_mem or pwd.getpwnam(user).pw_gid == group.gr_gid
    except KeyError:
        return False


def installed(family: str, package: str) -> bool:
    """Whether the system's package manager has installed it."""
    told = _asked([*INSTALLED[family], package])
    return told is not None and (family != "debian" or told.startswith("ii"))


def _available(family: str, packages: Sequence[str]) -> bool:
    """Whether headers for this very kernel can be had; only Debian's manager tells without asking the network, and only
    after it has once: where it does not know the driver either, installing tells."""
    if family != "debian":
        return True
    known = {package: bool(_asked(["apt-cache", "show", package])) for package in packages}
    return all(known.values()) or not any(known.values())


def _later_headers(family: str) -> list[str]:
    """Packages that bring the headers of every later kernel, without which an update would leave the driver behind;
    elsewhere than on Debian those that are installed are kept up by themselves."""
    if family != "debian":
        return []
    images = _asked(["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Package}\n", "linux-image-*"]) or ""
    kinds = re.findall(r"^ii +linux-image-(?!\d|unsigned)(\S+)$", images, re.MULTILINE)
    return [f"linux-headers-{kind}" for kind in kinds if not kind.endswith("-dbg")]


def _asked(command: list[str]) -> str | None:
    """What a command says; None if it says no, or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _deaf() -> bool:
    return ctypes.util.find_library("portaudio") is None


def _fit(root: Path) -> bool:
    caps = root / "sys/module/v4l2loopback/parameters/exclusive_caps"
    names = (root / "sys/devices/virtual/video4linux").glob("video*/name")
    listed = caps.is_file() and caps.read_text().startswith("Y")
    return listed and LABEL in [name.read_text().strip() for name in names]


def _signed_only(root: Path) -> bool:
    try:
        return (root / SECURE_BOOT).read_bytes()[-1:] == b"\1"
    except OSError:
        return False


def _setting_options(root: Path) -> list[Path]:
    """Files of modprobe that set options of the module."""
    found = []
    for folder in ("etc/modprobe.d", "run/modprobe.d", "usr/lib/modprobe.d"):
        for file in sorted((root / folder).glob("*.conf")):
            if re.search(r"^\s*options\s+v4l2loopback\b", file.read_text("utf-8", "replace"), re.MULTILINE):
                found.append(file)
    return found

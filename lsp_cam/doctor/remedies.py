"""The commands that put what is missing there, for the system at hand.

A remedy is one line for the shell, which may end in a remark (`  # …`); where only hands can help, it is a sentence.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

LABEL = "LSP Cam"
OPTIONS = f"devices=1 exclusive_caps=1 card_label='{LABEL}'"
LOAD = f"sudo modprobe v4l2loopback {OPTIONS}"
RELOAD = f"sudo modprobe -r v4l2loopback && {LOAD}"
JOIN_VIDEO = 'sudo usermod -aG video "$(id -un)"  # then log out and in'
LOG_IN_AGAIN = "Log out and in: you were added to the group video after you logged in"
LOOPBACK_UP = "sudo ip link set lo up"

# Asked of os-release in this order; its ID_LIKE names the family of a derived distribution.
FAMILIES = ("debian", "fedora", "arch", "suse")

PORTAUDIO = {
    "debian": "sudo apt install libportaudio2",
    "fedora": "sudo dnf install portaudio",
    "arch": "sudo pacman -S portaudio",
    "suse": "sudo zypper install libportaudio2",
    "linux": "Install PortAudio (libportaudio.so.2) with your distribution's package manager",
}
MICROPHONE = {
    "linux": "Plug a microphone in",
    "macos": "Plug one in, and allow your terminal in System Settings > Privacy & Security > Microphone",
    "windows": "Plug one in, and allow desktop apps in Settings > Privacy & security > Microphone",
}
ALSA_PLUGIN = {
    "debian": "sudo apt install libasound2-plugins",
    "fedora": "sudo dnf install alsa-plugins-pulseaudio",
    "arch": "sudo pacman -S alsa-plugins",
    "suse": "sudo zypper install alsa-plugins-pulse",
    "linux": "Install ALSA's plugin for PulseAudio",
}
SOUND_SERVER = {
    "debian": "sudo apt install pipewire-pulse wireplumber && systemctl --user start pipewire-pulse",
    "fedora": "sudo dnf install pipewire-pulseaudio && systemctl --user start pipewire-pulse",
    "arch": "sudo pacman -S pipewire-pulse && systemctl --user start pipewire-pulse",
    "suse": "sudo zypper install pipewire-pulseaudio && systemctl --user start pipewire-pulse",
    "linux": "Start PipeWire (with pipewire-pulse) or PulseAudio",
    "macos": "brew install blackhole-2ch",
    "windows": "Install VB-Cable from its maker's page (vb-audio.com/Cable) and start the machine again",
}
CAMERA = {
    "debian": f"sudo apt install v4l2loopback-dkms && {LOAD}",
    "fedora": f"sudo dnf install akmod-v4l2loopback && {LOAD}  # the package is in RPM Fusion",
    "arch": f"sudo pacman -S v4l2loopback-dkms linux-headers && {LOAD}",
    "suse": f"sudo zypper install v4l2loopback-kmp-default && {LOAD}",
    "linux": f"Install v4l2loopback, then: {LOAD}",
    "macos": "brew install --cask obs  # then open OBS once and press Start Virtual Camera",
    "windows": "winget install OBSProject.OBSStudio  # then open OBS once and press Start Virtual Camera",
}
USER_UNITS = (Path("/usr/lib/systemd/user"), Path("/etc/systemd/user"))


def system() -> str:
    """A family of Linux distributions, `linux` for another one, `macos`, `windows`, or `other`."""
    name = platform.system()
    if name != "Linux":
        return {"Darwin": "macos", "Windows": "windows"}.get(name, "other")
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "linux"
    words = [release.get("ID", ""), *release.get("ID_LIKE", "").replace("opensuse", "suse").split()]
    return next((family for family in FAMILIES for word in words if family in word), "linux")


def remedy(table: Mapping[str, str], where: str | None = None) -> str:
    """The command of `table` for this system (or the one called `where`)."""
    where = where or system()
    linux = where in (*FAMILIES, "linux")
    return as_user(table.get(where) or (table.get("linux", "") if linux else ""))


def as_user(command: str) -> str:
    """`command` for whoever runs this: root needs no sudo, and often has none."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return command.replace("sudo ", "") if root else command


def reinstall(package: str) -> str:
    """The command that installs a Python package anew, in the version that there should be."""
    try:
        which = f"{package}=={metadata.version(package)}"
    except metadata.PackageNotFoundError:
        which = package
    return f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps {which}"


def install(needs: Iterable[str]) -> str:
    """The command that installs Python packages, given as requirements."""
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.join(needs)}"


def sound_server() -> str:
    """How the sound server comes back: started, where one is installed."""
    if system() in ("macos", "windows", "other"):
        return remedy(SOUND_SERVER)
    if os.environ.get("PULSE_SERVER"):
        return "unset PULSE_SERVER"
    if (Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere")) / "systemd/private").exists():
        for unit in ("pipewire-pulse", "pulseaudio"):
            if any((folder / f"{unit}.service").is_file() for folder in USER_UNITS):
                return f"systemctl --user start {unit}"
    return "pulseaudio --start" if shutil.which("pulseaudio") else remedy(SOUND_SERVER)


def of_source(action: str, source: str) -> str:
    """The command that does `action` (as pactl calls it, with `{}` for the microphone) to a microphone."""
    if not shutil.which("pactl"):
        return "Choose, unmute and turn up your microphone in the system's sound settings"
    return f"pactl {action.format(shlex.quote(source))}"


def own_folder(variable: str, folder: str) -> str:
    """The command that has the program use another folder, one that can be written to."""
    homes = (Path.home(), Path(tempfile.gettempdir()))
    home = next((h for h in homes if os.access(h, os.W_OK)), homes[0])
    return f"{'set' if os.name == 'nt' else 'export'} {variable}={shlex.quote(str(home / folder))}"


def put_aside(path: Path, to: Path | None = None) -> str:
    """The command that takes what is at `path` out of the way."""
    return f"{'move' if os.name == 'nt' else 'mv'} {shlex.quote(str(path))} {shlex.quote(str(to or f'{path}.old'))}"


def without_setting(key: str, file: Path) -> str:
    """The command that takes a line out of the settings."""
    if os.name == "nt":
        return f"Delete the line that begins with '{key}' from {file}"
    return f"sed -i.old '/^ *{key} *=/d' {shlex.quote(str(file))}"

"""The commands that put what is missing there, for the system at hand."""

from __future__ import annotations

import platform
import sys

LABEL = "LSP Cam"
LOAD = f"sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label='{LABEL}'"
RELOAD = f"sudo modprobe -r v4l2loopback && {LOAD}"
JOIN_VIDEO = 'sudo usermod -aG video "$USER"  (then log out and in)'

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
    "debian": "Plug one in. If `pactl list short sources` shows one: sudo apt install libasound2-plugins",
    "fedora": "Plug one in. If `pactl list short sources` shows one: sudo dnf install alsa-plugins-pulseaudio",
    "arch": "Plug one in. If `pactl list short sources` shows one: sudo pacman -S alsa-plugins",
    "suse": "Plug one in. If `pactl list short sources` shows one: sudo zypper install alsa-plugins-pulse",
    "linux": "Plug one in. If `pactl list short sources` shows one, install ALSA's plugin for PulseAudio",
    "macos": "Plug one in, and allow your terminal in System Settings > Privacy & Security > Microphone",
    "windows": "Plug one in, and allow desktop apps in Settings > Privacy & security > Microphone",
}
VOICE = {
    "debian": "systemctl --user start pipewire-pulse  (or: sudo apt install pipewire-pulse)",
    "fedora": "systemctl --user start pipewire-pulse  (or: sudo dnf install pipewire-pulseaudio)",
    "arch": "systemctl --user start pipewire-pulse  (or: sudo pacman -S pipewire-pulse)",
    "suse": "systemctl --user start pipewire-pulse  (or: sudo zypper install pipewire-pulseaudio)",
    "linux": "Start PipeWire (with pipewire-pulse) or PulseAudio",
    "macos": "brew install blackhole-2ch",
    "windows": "Install VB-Cable from its maker's page (vb-audio.com/Cable) and start the machine again",
}
CAMERA = {
    "debian": f"sudo apt install v4l2loopback-dkms && {LOAD}",
    "fedora": f"sudo dnf install akmod-v4l2loopback && {LOAD}  (the package is in RPM Fusion)",
    "arch": f"sudo pacman -S v4l2loopback-dkms linux-headers && {LOAD}",
    "suse": f"sudo zypper install v4l2loopback-kmp-default && {LOAD}",
    "linux": f"Install v4l2loopback, then: {LOAD}",
    "macos": "brew install --cask obs  (then open OBS once and press Start Virtual Camera)",
    "windows": "winget install OBSProject.OBSStudio  (then open OBS once and press Start Virtual Camera)",
}


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


def remedy(table: dict[str, str], where: str | None = None) -> str:
    """The command of `table` for this system (or the one called `where`)."""
    where = where or system()
    linux = where in (*FAMILIES, "linux")
    return table.get(where) or (table.get("linux", "") if linux else "")


def reinstall(package: str) -> str:
    """The command that installs a Python package anew."""
    return f"{sys.executable} -m pip install --force-reinstall {package}"

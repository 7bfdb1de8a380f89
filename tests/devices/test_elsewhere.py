"""Windows and macOS: what is imported there, and which devices are taken by which names. Runs on any system."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lsp_cam.devices import cable, portaudio, virtualcam
from lsp_cam.devices.cable import CABLES, Cable, find_cable
from lsp_cam.devices.catalogue import list_devices
from lsp_cam.devices.loudspeaker import SystemLoudspeaker
from lsp_cam.errors import DeviceError, DeviceLost
from tests.devices.fake_sounddevice import PortAudioError

ROOT = Path(__file__).resolve().parents[2]
SPEAKERS = {"index": 0, "name": "Speakers (Realtek)", "max_output_channels": 2}
VB_CABLE = {"index": 3, "name": "CABLE Input (VB-Audio Virtual Cable)", "max_output_channels": 2}
VB_EAR = {"index": 4, "name": "CABLE Output (VB-Audio Virtual Cable)", "max_output_channels": 0}
BLACKHOLE = {"index": 2, "name": "BlackHole 2ch", "max_output_channels": 2}

# Modules that there are on Linux (or on POSIX systems) alone cannot be imported by what runs elsewhere.
IMPORTS = """
import importlib, pkgutil, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "pulsectl", "pasimple"):
    sys.modules[name] = None
import lsp_cam
left_out = (
    "lsp_cam.train", "lsp_cam.setup", "lsp_cam.call", "lsp_cam.cli.train",
    "lsp_cam.doctor.__main__", "lsp_cam.web.__main__",
)
count = 0
for found in pkgutil.walk_packages(lsp_cam.__path__, "lsp_cam."):
    if not found.name.startswith(left_out):
        importlib.import_module(found.name)
        count += 1
print(count)
"""


def test_everything_is_imported_without_what_only_linux_has() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, cwd=ROOT, timeout=200)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


class Sound:
    """PortAudio with these devices; what is written is kept."""

    PortAudioError = PortAudioError

    def __init__(self, *devices: dict[str, Any]) -> None:
        self.devices = devices
        self.written: list[Any] = []
        self.opened: dict[str, Any] = {}
        self.gone = False

    def query_devices(self) -> tuple[dict[str, Any], ...]:
        return self.devices

    def OutputStream(self, rate: int, **options: Any) -> SimpleNamespace:
        self.opened = {"rate": rate, **options}
        return SimpleNamespace(start=lambda: None, write=self._write, latency=0.05, close=lambda: None)

    def _write(self, samples: Any) -> None:
        if self.gone:
            raise PortAudioError("Device unavailable")
        self.written.append(samples)


def sound(monkeypatch: pytest.MonkeyPatch, *devices: dict[str, Any]) -> Sound:
    made = Sound(*devices)
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


@pytest.mark.parametrize("device", [VB_CABLE, BLACKHOLE])
def test_the_voice_goes_into_the_cable(monkeypatch: pytest.MonkeyPatch, device: dict[str, Any]) -> None:
    made = sound(monkeypatch, SPEAKERS, VB_EAR, device)
    assert find_cable() == (device["index"], device["name"])
    with Cable() as voice:
        voice.open()
        assert made.opened["device"] == device["index"]
        assert made.opened["rate"] == 16_000
        voice.write(np.ones(160, np.float32))
        assert made.written[0].shape == (160, 1)
        assert voice.latency_s == pytest.approx(0.05)
        assert voice.describe() == f"{device['name']} (virtual cable)"
        made.gone = True
        with pytest.raises(DeviceLost, match="is gone"):
            voice.write(np.ones(160, np.float32))


@pytest.mark.parametrize(("platform", "remedy"), [("darwin", "brew install blackhole-2ch"), ("win32", "VB-Cable")])
def test_without_a_cable_it_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch, platform: str, remedy: str) -> None:
    sound(monkeypatch, SPEAKERS, VB_EAR)
    monkeypatch.setattr(cable.sys, "platform", platform)
    with pytest.raises(DeviceError, match=remedy):
        find_cable()


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_cameras_are_found_by_opening_them(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(virtualcam.sys, "platform", platform)
    assert virtualcam.find_camera("OBS Virtual Camera") == "OBS Virtual Camera"
    assert virtualcam.find_camera() is None
    assert "OBS Studio" in virtualcam.remedy()
    listed, missing = list_devices()
    assert not [device for device in listed if device.kind == "camera"]
    assert any("only found by opening them" in one.reason for one in missing)


def test_the_page_names_the_devices_that_the_program_takes() -> None:
    page = (ROOT / "docs/windows-macos.md").read_text("utf-8")
    for name in (*CABLES, "OBS Virtual Camera", "Unity Video Capture"):
        assert name in page
    assert "ever run on Windows or on macOS" in page


def test_the_voice_gives_way_while_a_microphone_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """PortAudio is started anew to find it, which must not happen to a stream that is written to."""
    made = sound(monkeypatch, VB_CABLE)
    starts: list[str] = []
    made._terminate = lambda: starts.append("end")  # type: ignore[attr-defined]
    made._initialize = lambda: starts.append("begin")  # type: ignore[attr-defined]
    for voice in (Cable(), SystemLoudspeaker()):
        voice.open()
        voice.write(np.ones(160, np.float32))
        assert not portaudio.restart()
        assert starts == []
        with pytest.raises(DeviceLost, match="while a microphone is looked for"):
            voice.write(np.ones(160, np.float32))
        assert portaudio.restart()
        assert starts == ["end", "begin"]
        voice.open()
        voice.write(np.ones(160, np.float32))
        voice.close()
        starts.clear()

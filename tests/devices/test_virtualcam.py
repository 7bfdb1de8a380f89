"""The camera against pyvirtualcam itself, with a backend and a device tree of our own."""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import pyvirtualcam.camera
from pyvirtualcam.util import encode_fourcc

from lsp_cam.daemon.choose import open_camera
from lsp_cam.devices import catalogue, v4l2, virtualcam
from lsp_cam.devices.fit import Fitter
from lsp_cam.devices.v4l2 import Loopback
from lsp_cam.devices.virtualcam import LABEL, VirtualCamera, check_camera, find_camera
from lsp_cam.errors import DeviceError, DeviceLost

from .. import needs
from .media import picture

pytestmark = needs.linux


class Backend:
    """What pyvirtualcam asks of a backend."""

    opened: ClassVar[list[dict[str, Any]]] = []
    sent: ClassVar[list[np.ndarray]] = []
    broken: ClassVar[bool] = False

    def __init__(self, **options: Any) -> None:
        if self.broken:
            raise RuntimeError("Device is not an output device.")
        Backend.opened.append(options)
        self._device = options["device"] or "/dev/null"

    def close(self) -> None:
        Backend.opened.pop()

    def send(self, frame: np.ndarray) -> None:
        Backend.sent.append(frame.copy())

    def device(self) -> str:
        return str(self._device)

    def native_fourcc(self) -> None:
        return None


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Backend]]:
    monkeypatch.setattr(pyvirtualcam.camera, "BACKENDS", {"v4l2loopback": Backend})
    monkeypatch.setattr(Backend, "broken", False)
    Backend.sent.clear()
    yield Backend
    assert not Backend.opened


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Loopback]:
    found = [Loopback(tmp_path / "video0", "OBS"), Loopback(tmp_path / "video7", "LSP Cam")]
    for device in found:
        device.path.touch()
    monkeypatch.setattr(v4l2, "loopbacks", lambda: list(found))
    return found


def test_frames_arrive_fitted_on_the_camera_of_our_name(backend: type[Backend], devices: list[Loopback]) -> None:
    with VirtualCamera() as camera:
        camera.open(129, 73, 30)
        camera.send(picture(5))
        assert camera.describe() == f"LSP Cam ({devices[1].path}), 128x72 at 30 fps"
        assert backend.opened[0]["device"] == str(devices[1].path)
        frame = backend.sent[0].reshape(72, 128, 3)
    assert np.abs(frame[4:68, 32:96].astype(int) - picture(5)).mean() < 5
    camera.close()


def test_finding(devices: list[Loopback], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(v4l2, "is_fed", lambda device: device.taken)
    assert find_camera() == str(devices[1].path)
    assert find_camera("obs") == find_camera("0") == find_camera(str(devices[0].path)) == str(devices[0].path)
    with pytest.raises(DeviceError, match=r"no virtual camera 'webcam'\. There are: .*video0 \(OBS\), .*LSP Cam"):
        find_camera("webcam")
    devices[1] = Loopback(devices[1].path, "LSP Cam", writable=False, taken=True)
    assert find_camera() == str(devices[0].path)
    with pytest.raises(DeviceError, match="Another program feeds"):
        find_camera("7")
    devices[0] = Loopback(devices[0].path, "OBS", writable=False, taken=True)
    with pytest.raises(DeviceError, match="feeds every virtual camera"):
        check_camera()
    devices.append(Loopback(Path("/dev/video8"), "obs 2"))
    with pytest.raises(DeviceError, match="Several virtual cameras fit 'OBS'"):
        find_camera("OBS")


def test_cameras_that_are_fed_perhaps_by_us_are_listed_and_nothing_is_missing(
    devices: list[Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v4l2, "is_fed", lambda device: device.taken)
    devices[:] = [Loopback(device.path, device.label, writable=False, taken=True) for device in devices]
    listed, missing = catalogue.list_devices()
    cameras = [(one.name, one.detail, one.is_default) for one in listed if one.kind == "camera"]
    assert cameras == [("OBS", "in use", False), ("LSP Cam", "in use", False)]
    assert "camera" not in [one.kind for one in missing]


def test_a_device_that_only_seems_to_be_fed_is_free(devices: list[Loopback], monkeypatch: pytest.MonkeyPatch) -> None:
    devices[1] = Loopback(devices[1].path, "LSP Cam", writable=False, taken=True)
    monkeypatch.setattr(v4l2, "is_fed", lambda device: False)
    assert find_camera() == find_camera("LSP") == str(devices[1].path)


def test_whether_frames_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "video0"
    os.mkfifo(path)
    device = Loopback(path, "LSP Cam", writable=False, taken=True)
    holder = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    over = threading.Event()

    def feed() -> None:
        while not over.wait(0.02):
            os.write(holder, b"frame")

    monkeypatch.setattr(v4l2, "FED_S", 0.2)
    assert not v4l2.is_fed(Loopback(path, "LSP Cam"))
    assert not v4l2.is_fed(device), "nothing comes"
    os.write(holder, b"x")
    assert not v4l2.is_fed(device), "an old frame"
    monkeypatch.setattr(v4l2, "FED_S", 20.0)
    feeder = threading.Thread(target=feed)
    feeder.start()
    assert v4l2.is_fed(device)
    over.set()
    feeder.join()
    os.close(holder)
    assert v4l2.is_fed(Loopback(tmp_path / "locked", "LSP Cam", writable=False, taken=True)), "in doubt it is"


def test_a_device_that_is_held_to_a_format_gets_that(
    backend: type[Backend], devices: list[Loopback], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(virtualcam, "DEVICE_FOLDER", f"{tmp_path}/")
    held = (128, 72, b"YUYV")
    monkeypatch.setattr(v4l2, "shape_of", lambda path: held)
    with VirtualCamera() as camera:
        camera.open(640, 480, 30)
        assert len(backend.opened) == 1
        assert "128x72" in camera.describe()
        camera.send(picture(5))
        back = cv2.cvtColor(backend.sent[0].reshape(72, 128, 2), cv2.COLOR_YUV2RGB_YUY2)
        assert np.abs(back[:, 32:96].astype(int) - Fitter(128, 72).fit(picture(5))[:, 32:96]).mean() < 3
        held = (640, 480, b"YU12")
        camera.close()
        camera.open(640, 480, 30)
        assert "640x480" in camera.describe(), "not held any more"
    held = (640, 480, b"MJPG")
    with pytest.raises(DeviceError, match=r"held to 640x480 MJPG.*Close the programs"):
        camera.open(640, 480, 30)
    with VirtualCamera(layout="nv12") as camera:
        held = (64, 64, b"NV12")
        camera.open(64, 64, 30)
        assert backend.opened[0]["fourcc"] == encode_fourcc("NV12")
        camera.send(picture(5))
        assert backend.sent[1].size == 64 * 64 * 3 // 2


def test_a_camera_that_is_chosen_on_air_keeps_the_layout(backend: type[Backend], devices: list[Loopback]) -> None:
    fourccs = []
    for layout in ("nv12", "yuy2"):
        camera = open_camera("auto", layout)
        assert isinstance(camera, VirtualCamera)
        with camera:
            camera.open(64, 64, 30)
            fourccs.append(backend.opened[0]["fourcc"])
    assert fourccs == [encode_fourcc("NV12"), encode_fourcc("YUY2")]


def test_none_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(v4l2, "SYS", tmp_path)
    with pytest.raises(DeviceError, match=r"modprobe v4l2loopback exclusive_caps=1 card_label=\"LSP Cam\""):
        VirtualCamera().open(640, 480, 30)
    monkeypatch.setattr(v4l2, "SYS", tmp_path / "no such folder")
    with pytest.raises(DeviceError, match="v4l2loopback is not loaded"):
        check_camera()
    _, missing = catalogue.list_devices()
    assert "camera" in [m.kind for m in missing]


def test_errors_of_pyvirtualcam_come_with_the_remedy(
    backend: type[Backend], devices: list[Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "broken", True)
    with pytest.raises(DeviceError, match=r"not an output device.*modprobe"):
        VirtualCamera().open(640, 480, 30)
    with pytest.raises(DeviceError, match="no camera backend 'unitycapture' here"):
        VirtualCamera(backend="unitycapture").open(640, 480, 30)


def test_a_camera_that_goes_away_is_lost_and_can_be_opened_again(
    backend: type[Backend], devices: list[Loopback], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    camera = VirtualCamera()
    camera.open(64, 64, 30)
    monkeypatch.setattr(virtualcam, "CHECK_S", 0.0)
    monkeypatch.setattr(virtualcam, "DEVICE_FOLDER", f"{tmp_path}/")
    camera.send(picture(0))
    devices[1].path.unlink()
    with pytest.raises(DeviceLost, match="is gone"):
        camera.send(picture(0))
    camera.close()
    devices[1].path.touch()
    camera.open(64, 64, 30)
    camera.send(picture(0))
    camera.close()
    with pytest.raises(DeviceError, match="before it was opened"):
        camera.send(picture(0))


def test_other_systems_leave_the_choice_to_pyvirtualcam(
    backend: type[Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert find_camera() is None
    assert "640x480" in check_camera("OBS Virtual Camera")
    monkeypatch.setattr(backend, "broken", True)
    with pytest.raises(DeviceError, match="OBS Studio"):
        check_camera()


def test_only_a_device_that_is_not_writable_is_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fcntl

    calls: list[int] = []
    monkeypatch.setattr(fcntl, "ioctl", lambda descriptor, request, argument: calls.append(request))
    path = tmp_path / "video0"
    path.touch()
    v4l2.mend(Loopback(path, "LSP Cam", writable=True))
    assert calls == []
    v4l2.mend(Loopback(path, "LSP Cam", writable=False))
    assert calls == [0x40045612]
    v4l2.mend(Loopback(tmp_path / "gone", "LSP Cam", writable=False))


def capability(driver: bytes, label: bytes, able: int) -> bytes:
    """The kernel's answer to VIDIOC_QUERYCAP."""
    return struct.pack("<16s32s32sIII12x", driver, label, b"", 0, able | 0x80000000, able)


def test_looking_at_the_device_tree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import fcntl

    monkeypatch.setattr(v4l2, "SYS", tmp_path / "class")
    monkeypatch.setattr(v4l2, "DEV", tmp_path / "dev")
    answers = {
        "video0": capability(b"uvcvideo", b"Real webcam", 1),
        "video2": capability(b"v4l2 loopback", b"LSP Cam", 2),
        "video10": capability(b"v4l2 loopback", b"Other", 1),
        "video11": capability(b"v4l2 loopback", b"Hurt", 0),
        "video12": capability(b"vivid", b"Test card", 2),
    }
    (tmp_path / "class").mkdir()
    (tmp_path / "dev").mkdir()
    for name in answers:
        home = tmp_path / ("pci" if name == "video0" else "virtual") / name
        home.mkdir(parents=True)
        (tmp_path / "class" / name).symlink_to(home)
        (tmp_path / "dev" / name).touch()

    def ioctl(descriptor: int, request: int, argument: bytes) -> bytes:
        name = Path(f"/proc/self/fd/{descriptor}").resolve().name
        assert name != "video0", "a real camera must not be touched"
        assert (request, len(argument)) == (0x80685600, 104)
        return answers[name]

    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    dev = tmp_path / "dev"
    assert v4l2.loopbacks() == [
        Loopback(dev / "video2", "LSP Cam", True, False),
        Loopback(dev / "video10", "Other", False, True),
        Loopback(dev / "video11", "Hurt", False, False),
    ]


def test_an_open_camera_knows_its_names(
    backend: type[Backend], devices: list[Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    with VirtualCamera() as camera:
        assert not camera.is_called(None), "it is not open"
        camera.open(640, 480, 30)
        ours = next(d for d in devices if d.label == LABEL)
        for name in (None, LABEL, str(ours.path)):
            assert camera.is_called(name)
        for other in devices:
            assert other is ours or not camera.is_called(str(other.path))

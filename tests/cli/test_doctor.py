"""`lsp-cam doctor`: what is missing is named with the command that helps, and nothing kills the doctor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lsp_cam import doctor
from lsp_cam.devices import v4l2
from lsp_cam.doctor import Check, camera, can_start, installation, probes, remedies
from tests.bundles import tiny_bundle
from tests.cli.conftest import Invoke

SOUND: dict[str, probes.Answer] = {
    "engine": {"version": "1.0", "providers": ["CPUExecutionProvider"]},
    "subject": {"name": "tiny", "title": "Tiny"},
    "audio": {"version": "PortAudio 19", "inputs": ["A microphone"]},
    "server": {"problem": "Connection refused"},
    "makers": {"makers": []},
    "codecs": {"version": "14", "missing": []},
    "camera": {"device": "OBS Virtual Camera"},
    "voice": {"device": "LSP Mic (sound server)"},
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, probes.Answer]:
    """What the probes say; all is well, unless a test changes it."""
    changed = {name: dict(answer) for name, answer in SOUND.items()}
    monkeypatch.setattr(probes, "ask", lambda name: changed[name])
    return changed


def told(invoke: Invoke) -> dict[str, Any]:
    result = invoke("doctor", "--json")
    checks = json.loads(result.output)
    assert all(set(check) == {"name", "ok", "level", "found", "fix"} for check in checks)
    found = {check["name"]: check for check in checks}
    assert len(found) == len(checks)
    needed = [c for c in checks if c["level"] == "needed"]
    assert result.exit_code == int(not all(c["ok"] for c in needed))
    return found


def test_all_is_well(invoke: Invoke, answers: dict[str, probes.Answer]) -> None:
    found = told(invoke)
    assert set(found) == {
        "python", "packages", "onnxruntime", "store", "state", "settings", "subject", "port", "portaudio", "microphone",
        "virtual-microphone",
        "virtual-camera", "video-codecs", "daemon", "train-extra", "gpu",
    }  # fmt: skip
    assert invoke("doctor", "--json").exit_code == 0
    output = invoke("doctor").output
    assert "Ready: lsp-cam start" in output
    assert "A microphone" in output


@pytest.mark.parametrize(
    ("probe", "answer", "name", "fix"),
    [
        ("engine", {"problem": "crashes (exit status -11)"}, "onnxruntime", "--no-deps onnxruntime=="),
        ("engine", {"problem": "x", "module": "onnxruntime"}, "onnxruntime", "-m pip install"),
        ("subject", {"problem": "No subject is installed."}, "subject", "lsp-cam subject install FILE"),
    ],
)
def test_what_is_needed(
    invoke: Invoke, answers: dict[str, probes.Answer], probe: str, answer: probes.Answer, name: str, fix: str
) -> None:
    answers[probe] = answer
    found = told(invoke)
    assert not found[name]["ok"]
    assert fix in found[name]["fix"]
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "Not ready" in result.output
    assert fix in result.output


@pytest.mark.parametrize(
    ("probe", "answer", "names"),
    [
        (
            "audio",
            {"version": None, "inputs": [], "problem": "PortAudio library not found"},
            ["portaudio", "microphone"],
        ),
        ("audio", {"version": "19", "inputs": []}, ["microphone"]),
        ("audio", {"problem": "gives no answer in 30 s"}, ["portaudio", "microphone"]),
        ("voice", {"problem": "Connection refused"}, ["virtual-microphone"]),
        ("codecs", {"version": "14", "missing": ["libx264"]}, ["video-codecs"]),
        ("codecs", {"problem": "crashes (exit status -6)"}, ["video-codecs"]),
    ],
)
def test_what_something_stands_in_for(
    invoke: Invoke, answers: dict[str, probes.Answer], probe: str, answer: probes.Answer, names: list[str]
) -> None:
    answers[probe] = answer
    found = told(invoke)
    for name in names:
        assert not found[name]["ok"]
        assert found[name]["level"] == "fallback"
        assert found[name]["fix"]
    assert invoke("doctor").exit_code == 0


def test_one_thing_alone(invoke: Invoke, answers: dict[str, probes.Answer]) -> None:
    found = json.loads(invoke("doctor", "audio", "python", "--json").output)
    assert [check["name"] for check in found] == ["python", "portaudio", "microphone"]
    result = invoke("doctor", "stars")
    assert result.exit_code == 2
    assert "cannot look at 'stars'" in result.output


def test_settings_that_are_wrong(invoke: Invoke, answers: dict[str, probes.Answer], home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("fps = 999")
    found = told(invoke)
    assert "fps" in found["settings"]["found"]
    assert str(home / "config.toml") in found["settings"]["fix"]
    assert invoke("doctor").exit_code == 1


def test_a_port_in_use(invoke: Invoke, answers: dict[str, probes.Answer], home: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        home.mkdir()
        (home / "config.toml").write_text(f"port = {taken.getsockname()[1]}")
        found = told(invoke)
    assert not found["port"]["ok"]
    assert "sed -i.old" in found["port"]["fix"]


def test_a_check_that_breaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_stars() -> list[Check]:
        raise RuntimeError("clouds")

    monkeypatch.setattr(doctor, "CHECKS", (check_stars, installation.check_python))
    broken, python = doctor.run_checks()
    assert (broken.name, broken.ok) == ("stars", False)
    assert "clouds" in broken.found
    assert python.ok
    assert not can_start([broken, python])


def test_packages() -> None:
    assert next(installation.check_packages(["numpy>=1.26", "rich"])).ok
    bad = next(installation.check_packages(["numpy>=99", "no-such-package>=1", "rich[x]>=1"]))
    assert not bad.ok
    assert "is older than 99" in bad.found
    assert "no-such-package is missing" in bad.found
    assert "rich" not in bad.found
    elsewhere = 'no-such-package>=1; sys_platform == "plan9"'
    assert next(installation.check_packages([elsewhere, 'nothing>=1; python_version < "3.5"'])).ok
    assert "pip install" in bad.fix


def loopback(root: Path, *names: str, caps: str = "Y") -> Check:
    """The check of a machine whose kernel has loopback devices of these names."""
    (root / "dev").mkdir()
    for number, name in enumerate(names):
        device = root / "sys/devices/virtual/video4linux" / f"video{number}"
        device.mkdir(parents=True)
        (device / "name").write_text(f"{name}\n")
        (root / "dev" / device.name).touch()
    parameters = root / "sys/module/v4l2loopback/parameters"
    parameters.mkdir(parents=True)
    (parameters / "exclusive_caps").write_text(f"{caps},N,N\n")

    def look(path: Path) -> v4l2.Loopback | None:
        label = (root / "sys/devices/virtual/video4linux" / path.name / "name").read_text().strip()
        return None if label == "vivid" else v4l2.Loopback(path, label)

    return camera.loopback_camera(root / "sys", root / "dev", look)


def test_loopback_cameras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        (tmp_path / str(number)).mkdir()
    good = loopback(tmp_path / "0", "Dummy", "LSP Cam")
    assert (good.ok, good.fix) == (True, "")
    assert "LSP Cam" in good.found
    other = loopback(tmp_path / "1", "Dummy video device")
    assert other.ok
    assert "card_label='LSP Cam'" in other.fix
    closed = loopback(tmp_path / "2", "LSP Cam", caps="N")
    assert not closed.ok
    assert "exclusive_caps=1" in closed.fix
    empty = loopback(tmp_path / "3")
    assert not empty.ok
    assert "without a device" in empty.found
    other_kind = loopback(tmp_path / "5", "vivid")
    assert not other_kind.ok
    assert "video0 (vivid) is no loopback" in other_kind.found
    monkeypatch.setattr(os, "access", lambda *_: False)
    forbidden = loopback(tmp_path / "4", "LSP Cam")
    assert not forbidden.ok
    assert "usermod -aG video" in forbidden.fix


def test_a_camera_that_another_program_feeds(tmp_path: Path, home: Path) -> None:
    loopback(tmp_path, "LSP Cam")
    device = tmp_path / "dev/video0"
    device.write_bytes(b"frame")  # a file that can be read stands for a device that is fed
    code = "import sys; file = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    feeder = subprocess.Popen([sys.executable, "-c", code, str(device)], stdin=-1, stdout=-1)
    assert feeder.stdout is not None
    feeder.stdout.readline()

    def look(path: Path) -> v4l2.Loopback:
        return v4l2.Loopback(path, "LSP Cam", taken=feeder.poll() is None)

    try:
        busy = camera.loopback_camera(tmp_path / "sys", tmp_path / "dev", look)
        assert not busy.ok
        assert "another program feeds it" in busy.found
        assert busy.fix.startswith(f"kill {feeder.pid}  # ")
        subprocess.run(["sh", "-c", busy.fix], check=True)
        feeder.communicate(timeout=60)
        assert camera.loopback_camera(tmp_path / "sys", tmp_path / "dev", look).ok
    finally:
        feeder.kill()
        feeder.communicate()


def test_no_loopback_at_all(tmp_path: Path) -> None:
    found = camera.loopback_camera(tmp_path / "sys", tmp_path / "dev")
    assert not found.ok
    assert found.level == "fallback"
    assert "modprobe v4l2loopback" in found.fix


@pytest.mark.parametrize("system", ["macos", "windows"])
def test_cameras_elsewhere(monkeypatch: pytest.MonkeyPatch, answers: dict[str, probes.Answer], system: str) -> None:
    monkeypatch.setattr(camera, "system", lambda: system)
    monkeypatch.setattr(remedies, "system", lambda: system)
    assert next(camera.check_camera()).ok
    answers["camera"] = {"problem": "none"}
    missing = next(camera.check_camera())
    assert not missing.ok
    assert "Start Virtual Camera" in missing.fix


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ({"ID": "debian"}, "debian"),
        ({"ID": "ubuntu", "ID_LIKE": "debian"}, "debian"),
        ({"ID": "linuxmint", "ID_LIKE": "ubuntu debian"}, "debian"),
        ({"ID": "fedora"}, "fedora"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "fedora"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "arch"),
        ({"ID": "opensuse-tumbleweed", "ID_LIKE": "opensuse suse"}, "suse"),
        ({"ID": "void"}, "linux"),
        ({}, "linux"),
    ],
)
def test_systems(monkeypatch: pytest.MonkeyPatch, release: dict[str, str], family: str) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    assert remedies.system() == family
    for table in (remedies.PORTAUDIO, remedies.MICROPHONE, remedies.CAMERA):
        assert remedies.remedy(table)


def test_systems_that_are_not_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert remedies.remedy(remedies.CAMERA).startswith("brew")
    assert remedies.remedy(remedies.PORTAUDIO) == ""  # the wheel brings it along
    monkeypatch.setattr("platform.system", lambda: "FreeBSD")
    assert remedies.remedy(remedies.CAMERA) == ""


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("import os; os.abort()", "crashes"),
        ("import time; time.sleep(60)", "gives no answer in 2 s"),
        ("print('noise'); raise SystemExit(3)", "crashes"),
        ("raise ValueError('broken [inside]')", "broken [inside]"),
    ],
)
def test_libraries_that_crash_or_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, problem: str) -> None:
    (tmp_path / "onnxruntime.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    began = time.monotonic()
    answer = probes.ask("engine", 2)
    assert problem in answer["problem"]
    assert time.monotonic() - began < 20


def test_a_file_called_like_a_library_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise RuntimeError('not me')")
    monkeypatch.chdir(tmp_path)
    assert "CPUExecutionProvider" in probes.ask("engine")["providers"]


def test_the_probes_on_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSP_CAM_HOME", str(tmp_path))
    assert probes.ask("codecs")["missing"] == []
    assert isinstance(probes.ask("audio")["inputs"], list)
    tiny_bundle(tmp_path / "subjects", "demo").root.joinpath("preview.jpg").write_bytes(b"x")
    assert "preview.jpg" in probes.ask("subject")["problem"]
    (tmp_path / "config.toml").write_text('subject = "may"')
    assert "import-release" in probes.ask("subject")["problem"]


def test_the_program_on_this_machine(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "subjects", "demo")
    env = {**os.environ, "LSP_CAM_HOME": str(tmp_path)}
    command = [str(Path(sys.executable).with_name("lsp-cam")), "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120, check=False)
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert found["subject"]["ok"]
    assert found["packages"]["ok"]
    assert done.returncode == int(not all(c["ok"] for c in found.values() if c["level"] == "needed"))
    assert done.stderr == ""

"""Set-ups broken for real: the doctor finds what is wrong, and its advice, followed to the letter, mends it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lsp_cam.backends.plans import Maker, Plans
from lsp_cam.store import Store
from tests import needs
from tests.bundles import tiny_bundle

from .advice import doctor, mended
from .machine import ROOT, Machine, machine

pytestmark = needs.root
SITE = f"{sys.prefix}/lib/python3.{sys.version_info.minor}/site-packages"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def broken(tmp_path: Path, home: Path) -> Iterator[Machine]:
    """A machine to break, whose user has an empty `home`."""
    layers = tmp_path / "layers"
    layers.mkdir()
    with machine(layers) as made:
        made.environ |= {"LSP_CAM_HOME": str(home), "HOME": str(home)}
        yield made


def scratch_checkout(folder: Path) -> Path:
    """A checkout of its own: this package, with the subject that ships."""
    shutil.copytree(ROOT / "lsp_cam", folder / "lsp_cam", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "subjects/demo", folder / "subjects/demo")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def damage(file: Path) -> None:
    """Change one byte."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def ensure_package_lists(broken: Machine, package: str) -> None:
    broken.run(f"apt-cache show {package} >/dev/null 2>&1 || apt-get update -q")


# What is installed


def test_no_portaudio(broken: Machine) -> None:
    ensure_package_lists(broken, "libportaudio2")
    broken.run("dpkg --remove --force-depends libportaudio2")
    assert "PortAudio library not found" in mended(broken, "audio", "portaudio")["found"]


def test_an_onnx_runtime_that_does_not_load(broken: Machine) -> None:
    broken.run(f"for f in {SITE}/onnxruntime/capi/*.so*; do head -c 5000 $f > $f.cut; mv $f.cut $f; done")
    assert "force-reinstall" in mended(broken, "engine", "onnxruntime")["fix"]


def test_an_ffmpeg_without_its_encoders(broken: Machine) -> None:
    broken.run(f"rm {SITE}/av.libs/libavcodec*")
    assert "force-reinstall" in mended(broken, "codecs", "video-codecs")["fix"]


def test_a_package_that_is_missing(broken: Machine) -> None:
    broken.run(f"{sys.executable} -m pip uninstall -q -y pulsectl")
    assert "pulsectl is missing" in mended(broken, "packages", "packages")["found"]


def test_engines_that_are_stale_foreign_or_damaged(broken: Machine, home: Path) -> None:
    plans = Plans(home / "engines")
    plans.put(b"network", Maker("tensorrt-rtx", "1.0.0", "any"), b"stale")
    plans.put(b"network", Maker("tensorrt", "11.0", "NVIDIA Unheard-Of 1.0"), b"foreign")
    plans.put(b"another network", Maker("tensorrt-rtx", "1.0.0", "any"), b"damaged")
    for file in plans.files():
        if b"damaged" in file.read_bytes():
            file.write_bytes(file.read_bytes()[:-1])
    found = doctor(broken, "kept")["kept-engines"]
    assert not found["ok"]
    for why in ("tensorrt-rtx 1.0.0", "NVIDIA Unheard-Of", "damaged"):
        assert why in found["found"]
    broken.run(found["fix"])
    assert doctor(broken, "kept") == {}


# Subjects


def test_a_subject_of_which_a_byte_has_changed(broken: Machine, home: Path) -> None:
    tiny_bundle(home / "subjects", "demo")
    damage(home / "subjects/demo/preview.jpg")
    assert "preview.jpg" in mended(broken, "subject", "subject")["found"]


def test_the_subject_of_the_checkout_of_which_a_byte_has_changed(broken: Machine, tmp_path: Path) -> None:
    checkout = scratch_checkout(tmp_path / "checkout")
    broken.environ["PYTHONPATH"] = str(checkout)
    git = f"git -C {checkout} -c user.name=a -c user.email=a@b"
    broken.run(f"{git} init -q && {git} add -A && {git} commit -qm all")
    damage(checkout / "subjects/demo/mouth.onnx")
    assert "checkout -- subjects/demo" in mended(broken, "subject", "subject")["fix"]


def test_no_subject(broken: Machine, tmp_path: Path) -> None:
    checkout = scratch_checkout(tmp_path / "checkout")
    shutil.rmtree(checkout / "subjects/demo")
    broken.environ["PYTHONPATH"] = str(checkout)
    tiny_bundle(tmp_path / "elsewhere/subjects", "ada")
    archive = tmp_path / "ada.lspcam"
    Store(tmp_path / "elsewhere").export("ada", archive)
    found = mended(broken, "subject", "subject", lambda fix: broken.run(fix.replace("FILE", str(archive))))
    assert found["fix"] == "lsp-cam subject install FILE"


def test_settings_that_name_a_subject_that_is_not_there(broken: Machine, home: Path) -> None:
    (home / "config.toml").write_text('subject = "nobody"\nfps = 25\n')
    mended(broken, "subject", "subject")
    assert (home / "config.toml").read_text() == "fps = 25\n"


# What is the user's own


def test_settings_that_are_wrong(broken: Machine, home: Path) -> None:
    (home / "config.toml").write_text("fps = 999\n")
    assert "fps" in mended(broken, "settings", "settings")["found"]


def test_a_port_that_is_taken(broken: Machine, home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (home / "config.toml").write_text(f"port = {taken.getsockname()[1]}\nfps = 25\n")
        mended(broken, "port", "port")
    assert (home / "config.toml").read_text() == "fps = 25\n"


def test_a_loopback_that_is_down(tmp_path: Path, home: Path) -> None:
    layers = tmp_path / "layers"
    layers.mkdir()
    with machine(layers, network=True) as broken:
        broken.environ["LSP_CAM_HOME"] = str(home)
        assert "ip link set lo up" in mended(broken, "port", "port")["fix"]


def test_a_home_that_is_read_only(broken: Machine, home: Path) -> None:
    broken.run(f"mount -t tmpfs -o ro none {home}")
    broken.environ["HOME"] = "/var/tmp"  # of this machine alone
    for name in ("store", "state"):
        assert mended(broken, "folders", name)["fix"] == "export LSP_CAM_HOME=/var/tmp/lsp-cam"


def test_a_home_in_whose_place_is_a_file(broken: Machine, home: Path) -> None:
    home.rmdir()
    home.touch()
    mended(broken, "folders", "state")


@pytest.mark.parametrize(("owner", "mode", "word"), [(0, 0o500, "chmod"), (1234, 0o755, "chown")])
def test_a_home_that_may_not_be_written(broken: Machine, home: Path, owner: int, mode: int, word: str) -> None:
    os.chown(home, owner, owner)
    home.chmod(mode)
    mortal = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
    assert word in mended(broken, "folders", "store", bounds=mortal)["fix"]


def test_a_disk_that_is_full(broken: Machine, home: Path) -> None:
    filler = home / "films"
    broken.run(f"mount -t tmpfs -o size=1100m none {home} && fallocate -l 200M {filler}")
    found = mended(broken, "folders", "store", lambda _: broken.run(f"rm {filler}"))
    assert found["fix"].startswith("Make room")


def test_a_runtime_folder_of_somebody_else(broken: Machine, tmp_path: Path, home: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    os.chown(run, 1234, 1234)
    broken.environ["LSP_CAM_RUNTIME"] = str(run)
    found = doctor(broken, "daemon")["daemon"]
    assert found["level"] == "needed"
    assert not found["ok"]
    after = json.loads(broken.run(f"{found['fix']}\nlsp-cam doctor --json daemon"))[0]
    assert (after["level"], after["found"]) == ("optional", "lsp-cam is not running.")


def test_a_daemon_that_died_and_one_that_hangs(broken: Machine, home: Path) -> None:
    def pid() -> int:
        return int(json.loads((home / "state/run/daemon.json").read_text())["pid"])

    (home / "config.toml").write_text('camera = "preview"\nmic_out = "none"\n')
    try:
        broken.run("lsp-cam start")
        os.kill(pid(), signal.SIGKILL)
        assert "crashed" in mended(broken, "daemon", "daemon")["found"]
        os.kill(pid(), signal.SIGSTOP)
        found = doctor(broken, "daemon")["daemon"]
        assert "does not answer" in found["found"]
        assert found["level"] == "needed"
        assert "was killed" in broken.run(found["fix"])
        assert doctor(broken, "daemon")["daemon"]["level"] == "optional"
    finally:
        broken.run("lsp-cam stop")

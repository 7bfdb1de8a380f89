"""`lsp-cam setup`, carried out for real and undone, on a machine whose changes are thrown away.

Real are the files, the package manager, the users and groups. The kernel is not: its module is an empty file, and
`modprobe` a script that notes what it was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.doctor.machine import Machine, machine
from tests.doctor.test_broken_setups import ensure_package_lists

pytestmark = needs.root

KERNEL = """
folder=/usr/lib/modules/$(uname -r)/updates
mkdir -p $folder && touch $folder/v4l2loopback.ko
printf '#!/bin/sh\\necho "$@" >> /var/tmp/asked\\n' > /usr/local/sbin/modprobe
chmod +x /usr/local/sbin/modprobe
useradd ada
"""
STATE = """
ls -A /etc/modprobe.d /etc/modules-load.d /var/lib/lsp-cam 2>&1 || true
getent group video
dpkg-query -W -f='${db:Status-Abbrev}' libportaudio2 2>&1 || true
"""


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Machine]:
    """A machine of Ada's, whose kernel has the module, without PortAudio."""
    (tmp_path / "layers").mkdir()
    with machine(tmp_path / "layers") as made:
        made.environ |= {"SUDO_USER": "ada", "LSP_CAM_HOME": str(tmp_path)}
        made.environ["PATH"] = f"/usr/local/sbin:{made.environ['PATH']}"
        made.run(KERNEL)
        ensure_package_lists(made, "libportaudio2")
        made.run("dpkg --remove --force-depends libportaudio2")
        yield made


def test_all_is_shown_done_kept_and_undone(bare: Machine) -> None:
    before = bare.run(STATE)
    shown = bare.run("lsp-cam setup --dry-run")
    for command in ("apt-get install -y", "tee /etc/modprobe.d/lsp-cam.conf", "usermod -aG video ada", "modprobe"):
        assert command in shown
    refused = bare.run("lsp-cam setup </dev/null 2>&1 || echo status $?")
    assert "add --yes" in refused
    assert "status 2" in refused
    assert bare.run(STATE) == before

    done = bare.run("lsp-cam setup --yes")
    assert "$ usermod -aG video ada" in done
    assert "Log out and in" in done
    options = bare.run("cat /etc/modprobe.d/lsp-cam.conf").splitlines()
    assert options[-1] == 'options v4l2loopback devices=1 exclusive_caps=1 card_label="LSP Cam"'
    assert bare.run("cat /etc/modules-load.d/lsp-cam.conf").splitlines()[-1] == "v4l2loopback"
    assert "ada" in bare.run("getent group video").split(":")[-1]
    assert "libportaudio.so.2" in bare.run("ldconfig -p")
    assert bare.run("cat /var/tmp/asked").splitlines() == ["v4l2loopback"]

    again = bare.run("lsp-cam setup --yes")
    assert "tee /etc" not in again
    assert "apt-get" not in again

    assert "rm /etc/modprobe.d/lsp-cam.conf" in bare.run("lsp-cam setup --undo --dry-run")
    bare.run("lsp-cam setup --undo --yes")
    assert bare.run(STATE) == before
    assert "nothing to undo" in bare.run("lsp-cam setup --undo --yes")


def test_what_was_changed_since_and_what_was_there_before_stay(bare: Machine) -> None:
    bare.run("usermod -aG video ada && apt-get install -y libportaudio2")
    bare.run("lsp-cam setup --yes")
    bare.run("echo '# mine' >> /etc/modprobe.d/lsp-cam.conf")
    assert "was changed since; it stays" in bare.run("lsp-cam setup --undo --yes")
    assert bare.run("ls /etc/modprobe.d/lsp-cam.conf")
    assert "ada" in bare.run("getent group video").split(":")[-1]
    assert "libportaudio.so.2" in bare.run("ldconfig -p")
    assert "lsp-cam" not in bare.run("ls /etc/modules-load.d /var/lib")


def test_a_step_that_fails_is_told_and_undone(bare: Machine) -> None:
    before = bare.run(STATE)
    bare.run("printf '#!/bin/sh\\nexit 1\\n' > /usr/local/sbin/modprobe")
    failed = bare.run("lsp-cam setup --yes 2>&1 || echo status $?")
    assert "modprobe v4l2loopback` failed (status 1)" in failed
    assert "--undo" in failed
    assert "status 1" in failed.splitlines()[-1]
    bare.run("lsp-cam setup --undo --yes")
    assert bare.run(STATE) == before

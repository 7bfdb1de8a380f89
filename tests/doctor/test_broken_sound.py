"""Sound broken for real, on a sound server of its own; see `test_broken_setups.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.system.pulse import PulseServer, pulse_server

from .advice import mended
from .machine import Machine, machine
from .test_broken_setups import ensure_package_lists

pytestmark = needs.pulse_audio


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with pulse_server(loudspeaker=False) as server:
        yield server


@pytest.fixture
def here(pulse: PulseServer, tmp_path: Path) -> Machine:
    """This machine, with the server's microphone."""
    made = Machine()
    made.environ = {**pulse.environ, "PATH": made.environ["PATH"], "LSP_CAM_HOME": str(tmp_path)}
    return made


@pytest.mark.parametrize(
    ("breaking", "found"),
    [
        (("set-source-mute", "test_mic", "1"), "TestMic: muted"),
        (("set-source-volume", "test_mic", "0%"), "TestMic: turned down"),
        (("set-default-source", "mic_feed.monitor"), "the usual one is 'mic_feed.monitor'"),
    ],
)
def test_a_microphone_that_hears_nobody(
    pulse: PulseServer, here: Machine, breaking: tuple[str, ...], found: str
) -> None:
    pulse.pactl(*breaking)
    assert found in mended(here, "audio", "microphone")["found"]


def test_no_microphone(pulse: PulseServer, here: Machine) -> None:
    pulse.unplug()
    found = mended(here, "audio", "microphone", lambda _: pulse.plug())
    assert "Plug a microphone in" in found["fix"]


def test_the_address_of_a_sound_server_that_is_gone(here: Machine) -> None:
    here.environ["PULSE_SERVER"] = "unix:/nowhere/native"
    assert mended(here, "voice", "virtual-microphone")["fix"] == "unset PULSE_SERVER"


def test_no_sound_server(here: Machine, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("run")
    folder.chmod(0o700)
    for variable in ("PULSE_SERVER", "PULSE_RUNTIME_PATH"):
        del here.environ[variable]
    here.environ |= {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    try:
        assert mended(here, "voice", "virtual-microphone")["fix"] == "pulseaudio --start"
    finally:
        here.run("pulseaudio --kill")


@needs.root
def test_no_alsa_plugin_for_the_sound_server(pulse: PulseServer, tmp_path: Path) -> None:
    (tmp_path / "layers").mkdir()
    with machine(tmp_path / "layers") as broken:
        broken.environ |= {
            k: pulse.environ[k] for k in ("HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_SERVER")
        }
        broken.environ["LSP_CAM_HOME"] = str(tmp_path)
        ensure_package_lists(broken, "libasound2-plugins")
        broken.run("dpkg --remove --force-depends libasound2-plugins")
        assert "PortAudio does not find it" in mended(broken, "audio", "microphone")["found"]

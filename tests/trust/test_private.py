"""Private by default: what others on the machine can read, what leaves it, and what is written down."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_cam import folders
from lsp_cam.daemon.runtime import Contact, Runtime
from lsp_cam.service.unit import program, unit, written_folders
from lsp_cam.store import Store
from lsp_cam.trust.credentials import own_certificate
from lsp_cam.trust.signing import own_key
from tests.bundles import members_of, tiny_bundle, write_zip
from tests.daemon.test_core import loud, on_air
from tests.devices.media import write_float_wav
from tests.sketch import sketch_of

STRANGER = 65534
TOKEN = "the-token-of-this-run"
DAEMON_LOG = """
import logging, sys
sys.argv = ["lsp_cam.web", "no JSON"]
from lsp_cam.web.__main__ import main
assert main() == 70
open(sys.argv[0] + ".film", "w").close()
"""


@pytest.fixture
def street(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home in a folder that everybody may enter, as many homes are."""
    place = Path(tempfile.mkdtemp(prefix="lsp-cam-street-"))
    place.chmod(0o755)
    (place / "home").mkdir(mode=0o755)
    (place / "home").chmod(0o755)
    monkeypatch.setenv(folders.HOME_VARIABLE, str(place / "home"))
    monkeypatch.setattr(folders, "checkout", lambda: None)
    yield place / "home"
    shutil.rmtree(place)


def open_to_others(home: Path) -> set[str]:
    """The files with something in them that another user can read: asked of the system where we may be that user."""
    if os.getuid() == 0:
        command = ["find", str(home), "-type", "f", "-size", "+0", "-readable"]
        done = subprocess.run(command, user=STRANGER, group=STRANGER, extra_groups=[], capture_output=True, text=True)
        return {Path(line).name for line in done.stdout.splitlines()}
    found = set()
    for path in home.rglob("*"):
        above = [p for p in path.parents if p.is_relative_to(home)]
        if (
            path.is_file()
            and path.stat().st_mode & stat.S_IROTH
            and all(p.stat().st_mode & stat.S_IXOTH for p in above)
        ):
            found.add(path.name)
    return found


def test_another_user_reads_nothing(street: Path, tmp_path: Path) -> None:
    """Neither the token nor the log, keys, trust, subjects, nor what a daemon writes."""
    Runtime().write_contact(Contact(pid=1, port=1, token=TOKEN))
    own_key()
    own_certificate(street / "credentials")
    store = Store()
    store.install(write_zip(tmp_path / "t.lspcam", members_of(tiny_bundle(tmp_path))))
    store.sign("tiny", own_key())
    store.signers.meet("tiny", store.get("tiny").signer)
    done = subprocess.run([sys.executable, "-c", DAEMON_LOG], cwd=street, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (street / "control").write_text("what everybody may read")
    (street / "control").chmod(0o644)
    names = {path.name for path in street.rglob("*") if path.is_file()}
    assert {"daemon.json", "daemon.log", "signing.key", "key.pem", "trusted.json", "manifest.json"} <= names
    assert open_to_others(street) == {"control"}
    assert stat.S_IMODE((street / "lsp_cam.web.film").stat().st_mode) == 0o600


QUIET = """
import sys
heard = []
def hook(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname"):
        heard.append((event, arguments))
sys.addaudithook(hook)
from typer.testing import CliRunner
from lsp_cam.cli.main import app
for command in (["render", sys.argv[1], "--subject", "sketch", "-o", sys.argv[2], "--fps", "5"],
                ["inspect", sys.argv[2]], ["subject", "verify", "sketch"], ["trust", "list"]):
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
print(heard)
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(("127.0.0.1", 9))
assert heard, "the hook hears"
"""


def test_nothing_goes_out(street: Path, tmp_path: Path, reference_bundle: Any, case_a: Any) -> None:
    sketch_of(reference_bundle(), street / "subjects" / "sketch")
    speech = write_float_wav(tmp_path / "speech.wav", case_a.expected["audio"][:4_000])
    command = [sys.executable, "-c", QUIET, str(speech), str(tmp_path / "out.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_log_holds_no_speech(caplog: pytest.LogCaptureFixture) -> None:
    """Not a sample of it: what is logged of a second of speech is some words about devices."""
    with caplog.at_level(logging.DEBUG, "lsp_cam"), on_air(source=loud(1.0)) as daemon:
        assert daemon.stop.wait(10)
    assert len(caplog.records) < 20
    for record in caplog.records:
        given = record.args if isinstance(record.args, tuple) else ()
        assert not any(isinstance(value, (np.ndarray, bytes, memoryview, list)) for value in given), record
        assert len(record.getMessage()) < 500


def test_nothing_is_recorded(street: Path) -> None:
    """A daemon that spoke for a second has left no file but its own records."""
    before = {path for path in street.rglob("*") if path.is_file()}
    with on_air(source=loud(1.0)) as daemon:
        assert daemon.stop.wait(10)
    assert {path for path in street.rglob("*") if path.is_file()} == before


SANDBOX = {
    "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=read-only", "PrivateTmp=yes", "UMask=0077",
    "CapabilityBoundingSet=", "IPAddressDeny=any", "IPAddressAllow=localhost", "RestrictNamespaces=yes",
    "SystemCallFilter=@system-service", "DevicePolicy=closed", "MemoryMax=6G", "PrivateUsers=yes",
}  # fmt: skip


def test_the_unit_shuts_it_in() -> None:
    assert set(unit(program(), written_folders()).splitlines()) >= SANDBOX

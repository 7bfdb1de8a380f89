"""A private PipeWire: cameras without a kernel module, and a sound server that speaks PulseAudio's language.

`with pipewire() as environ:` starts a server and its session manager in folders of their own; a child started with
`env=environ` finds them. Needs Debian's pipewire, pipewire-pulse, wireplumber, dbus and GStreamer's
packages (see `.ci/run`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .pulse import PCM, PulseServer

PROGRAMS = (
    "pipewire",
    "pipewire-pulse",
    "wireplumber",
    "pw-cli",
    "dbus-run-session",
    "gst-launch-1.0",
    "gst-inspect-1.0",
)
SESSION = ("dbus-run-session", "--", "wireplumber")
PATIENCE_S = 60.0


def available() -> bool:
    """Whether the programs that this needs are installed."""
    return all(shutil.which(program) for program in PROGRAMS)


@contextmanager
def pipewire() -> Iterator[dict[str, str]]:
    """A server of its own; stops it and removes its folders at the end."""
    folder = Path(tempfile.mkdtemp(prefix="lsp-pw-", dir="/tmp"))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIPEWIRE_", "XDG_", "PULSE_", "DBUS_"))}
    environ = kept | {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    try:
        with ExitStack() as stack, (folder / "log").open("wb") as log:
            for command in (("pipewire",), SESSION):
                started = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
                stack.callback(_end, started)
                _await(folder, environ, started, session=command == SESSION)
            yield environ
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def speaking_pulse() -> Iterator[PulseServer]:
    """A PipeWire that is spoken to like PulseAudio, as desktops have it, with the microphone `test_mic` plugged in."""
    with pipewire() as environ:
        folder = Path(environ["XDG_RUNTIME_DIR"])
        (folder / ".asoundrc").write_text(PCM.format(name="test_mic", label="test mic"))
        environ |= {"PULSE_SERVER": f"unix:{folder}/pulse/native"}
        server = PulseServer(folder, environ, 48_000)
        with (folder / "log").open("ab") as log:
            server.process = subprocess.Popen(["pipewire-pulse"], env=environ, stdout=log, stderr=log)
        try:
            server.await_ready(server.process)
            server.plug()
            yield server
        finally:
            server.crash()


def nodes(environ: dict[str, str]) -> str:
    """What pw-cli tells of the nodes that there are."""
    told = subprocess.run(["pw-cli", "ls", "Node"], env=environ, capture_output=True, text=True, timeout=30)
    return told.stdout


def _await(folder: Path, environ: dict[str, str], process: subprocess.Popen[bytes], *, session: bool) -> None:
    """Wait until the server answers, and, for the session manager, until it has made itself known."""
    deadline_s = time.monotonic() + PATIENCE_S
    what = "Client" if session else "Core"
    while True:
        done = subprocess.run(["pw-cli", "ls", what], env=environ, capture_output=True, text=True, timeout=30)
        if done.returncode == 0 and (not session or "WirePlumber" in done.stdout):
            return
        log = (folder / "log").read_text(errors="replace")
        assert process.poll() is None, f"it ended:\n{log}"
        assert time.monotonic() < deadline_s, f"no answer:\n{log}\n{done.stdout}"
        time.sleep(0.2)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

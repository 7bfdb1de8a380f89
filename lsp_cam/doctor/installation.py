"""Python, packages, folders, settings, a subject, the daemon: what does not depend on devices."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

from .. import folders
from ..errors import LspCamError
from . import probes
from .check import Check, Level, problem
from .remedies import reinstall

MIN_PYTHON = (3, 11)
FREE_BYTES = 1 << 30


def check_python() -> Iterator[Check]:
    """The interpreter."""
    ok = sys.version_info[:2] >= MIN_PYTHON
    wanted = ".".join(map(str, MIN_PYTHON))
    fix = "" if ok else f"Install Python {wanted} or newer and make a new environment with it"
    yield Check("python", ok, "needed", f"{platform.python_version()} ({sys.executable})", fix)


def check_packages(needs: list[str] | None = None) -> Iterator[Check]:
    """The runtime's packages, at the versions that the project asks for."""
    if needs is None:
        needs = [need for need in metadata.requires(folders.APP) or [] if "extra ==" not in need]
    wrong = list(_unmet(needs))
    found = ", ".join(wrong) if wrong else f"{len(needs)} requirements met"
    yield Check("packages", not wrong, "needed", found, folders.install_command() if wrong else "")


def check_engine() -> Iterator[Check]:
    """ONNX Runtime."""
    answer = probes.ask("engine")
    ok = "CPUExecutionProvider" in answer.get("providers", [])
    found = f"ONNX Runtime {answer['version']}: {', '.join(answer['providers'])}" if ok else problem(answer)
    yield Check("onnxruntime", ok, "needed", found, "" if ok else reinstall("onnxruntime"))


def check_folders() -> Iterator[Check]:
    """Where subjects, engines, logs and the daemon's state are written."""
    # What is installed can be shown from a store that cannot be written to.
    yield _folder("store", folders.home(), "fallback")
    yield _folder("state", folders.state_folder(), "needed")


def _folder(name: str, folder: Path, level: Level) -> Check:
    there = next(p for p in (folder, *folder.parents) if p.exists())
    writable = there.is_dir() and os.access(there, os.W_OK)
    free = shutil.disk_usage(there).free
    found = f"{folder}: {'writable' if writable else 'not writable'}, {free / 1e9:.1f} GB free"
    if not writable:
        return Check(name, False, level, found, f"export {folders.HOME_VARIABLE}=FOLDER  (one that you may write to)")
    if free < FREE_BYTES:
        return Check(name, False, "fallback", found, f"Make room on the disk of {there}")
    return Check(name, True, level, found)


def check_settings() -> Iterator[Check]:
    """The user's config.toml."""
    from ..config import load

    path = folders.config_file()
    try:
        load(path)
    except LspCamError as error:
        yield Check("settings", False, "needed", str(error), f"Correct or delete {path}")
    else:
        yield Check("settings", True, "needed", str(path) if path.exists() else f"defaults (no {path})")


def check_subject() -> Iterator[Check]:
    """The subject that `start` shows when none is named."""
    answer = probes.ask("subject")
    ok = "name" in answer
    found = f"{answer['name']}: {answer['title']}" if ok else problem(answer)
    yield Check("subject", ok, "needed", found, "" if ok else "lsp-cam subject install FILE")


def check_port() -> Iterator[Check]:
    """A port on the loopback interface, for the control and the preview page."""
    from ..config import load
    from ..daemon.runtime import Runtime

    port = load().port
    where = f"127.0.0.1, port {port or 'any'}"
    try:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
    except OSError as error:
        if port and Runtime().is_running():
            yield Check("port", True, "needed", f"{where}, used by lsp-cam")
            return
        fix = f"Set another port in {folders.config_file()}" if port else "sudo ip link set lo up"
        yield Check("port", False, "needed", f"{where}: {error.strerror}", fix)
    else:
        yield Check("port", True, "needed", where)


def check_daemon() -> Iterator[Check]:
    """Whether lsp-cam runs already."""
    from ..daemon.runtime import Runtime

    runtime = Runtime()
    record = runtime.record()
    if runtime.is_running():
        yield Check("daemon", True, "optional", f"running, process {record.pid}" if record else "running")
    else:
        yield Check("daemon", False, "optional", "not running", "lsp-cam start")


def check_train() -> Iterator[Check]:
    """What making subjects and importing releases needs."""
    needs = [n for n in metadata.requires(folders.APP) or [] if re.search(r"extra == ['\"]train['\"]", n)]
    wrong = list(_unmet(needs))
    found = ", ".join(wrong) if wrong else "installed"
    yield Check("train-extra", not wrong, "optional", found, folders.install_command("train") if wrong else "")


def check_gpu() -> Iterator[Check]:
    """An NVIDIA card."""
    program = shutil.which("nvidia-smi")
    if not program:
        yield Check("gpu", False, "optional", "none; the processor is used")
        return
    done = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=20, check=False)
    ok = done.returncode == 0 and bool(done.stdout.strip())
    yield Check("gpu", ok, "optional", (done.stdout or done.stderr).strip().splitlines()[0])


def _unmet(needs: Iterable[str]) -> Iterator[str]:
    """What is missing or too old, of requirements such as `rich>=13`."""
    for need in needs:
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:>=\s*([0-9.]+))?", need)
        name, least = (match[1], match[2]) if match else (need, None)
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield f"{name} is missing"
            continue
        if least and _numbers(version) < _numbers(least):
            yield f"{name} {version} is older than {least}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[a-z+-]", version)[0]))

"""Python, the packages, and what runs the networks."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata

from .. import folders
from . import probes
from .check import Check, problem
from .remedies import install, reinstall

MIN_PYTHON = (3, 11)


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
    wrong = _unmet(needs)
    found = ", ".join(wrong.values()) or f"{len(needs)} requirements met"
    yield Check("packages", not wrong, "needed", found, install(wrong) if wrong else "")


def check_engine() -> Iterator[Check]:
    """ONNX Runtime."""
    answer = probes.ask("engine")
    ok = "CPUExecutionProvider" in answer.get("providers", [])
    found = f"ONNX Runtime {answer['version']}: {', '.join(answer['providers'])}" if ok else problem(answer)
    yield Check("onnxruntime", ok, "needed", found, "" if ok else reinstall("onnxruntime"))


def check_kept() -> Iterator[Check]:
    """Compiled networks of another version, for another card, or damaged: made again when needed, but in the way."""
    from ..backends.choose import plans
    from ..backends.plans import Maker

    kept = plans()
    if not kept.files():
        return
    unfit = kept.unfit(Maker(*maker) for maker in probes.ask("makers").get("makers", []))
    found = "; ".join(f"{file.name}: {why}" for file, why in unfit.items())
    fix = "lsp-cam engine clean" if unfit else ""
    yield Check("kept-engines", not unfit, "optional", found or f"{len(kept.files())} of use here", fix)


def check_train() -> Iterator[Check]:
    """What making subjects and importing releases needs."""
    needs = [n for n in metadata.requires(folders.APP) or [] if re.search(r"extra == ['\"]train['\"]", n)]
    wrong = _unmet(needs)
    found = ", ".join(wrong.values()) or "installed"
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


def _unmet(needs: Iterable[str]) -> dict[str, str]:
    """Of requirements such as `rich>=13`, those that are not met, and how not."""
    wrong = {}
    for need in needs:
        what, _, condition = need.partition(";")
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:>=\s*([0-9.]+))?", what)
        if match is None or not _applies(condition):
            continue
        try:
            version = metadata.version(match[1])
        except metadata.PackageNotFoundError:
            wrong[what.strip()] = f"{match[1]} is missing"
            continue
        if match[2] and _numbers(version) < _numbers(match[2]):
            wrong[what.strip()] = f"{match[1]} {version} is older than {match[2]}"
    return wrong


def _applies(condition: str) -> bool:
    """Whether a requirement's condition, of the kinds that the project uses, is true here."""
    platform_wanted = re.search(r"sys_platform == ['\"](\w+)['\"]", condition)
    below = re.search(r"python_version < ['\"]([0-9.]+)['\"]", condition)
    if platform_wanted and platform_wanted[1] != sys.platform:
        return False
    return not below or sys.version_info[:2] < _numbers(below[1])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[a-z+-]", version)[0]))

"""What lsp-cam needs, whether it is there, and the command that puts it there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from . import devices, installation
from .check import Check

__all__ = ["Check", "can_start", "run_checks"]

# In the order in which to mend things.
CHECKS: tuple[Callable[[], Iterable[Check]], ...] = (
    installation.check_python,
    installation.check_packages,
    installation.check_engine,
    installation.check_folders,
    installation.check_settings,
    installation.check_subject,
    installation.check_port,
    devices.check_audio,
    devices.check_voice,
    devices.check_camera,
    devices.check_codecs,
    installation.check_daemon,
    installation.check_train,
    installation.check_gpu,
)


def run_checks() -> list[Check]:
    """All checks, in order; none of them raises or hangs."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        return [check for found in pool.map(_guarded, CHECKS) for check in found]


def can_start(checks: Iterable[Check]) -> bool:
    """Whether all that is needed is there."""
    return all(check.ok for check in checks if check.level == "needed")


def _guarded(group: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(group())
    except Exception as error:
        name = group.__name__.removeprefix("check_")
        return [Check(name, False, "needed", f"could not be checked: {type(error).__name__}: {error}")]

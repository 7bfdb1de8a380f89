"""What lsp-cam needs, whether it is there, and the command that puts it there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from . import camera, home, installation, sound
from .check import Check

__all__ = ["Check", "can_start", "groups", "run_checks"]

# In the order in which to mend things.
CHECKS: tuple[Callable[[], Iterable[Check]], ...] = (
    installation.check_python,
    installation.check_packages,
    installation.check_engine,
    home.check_folders,
    home.check_settings,
    home.check_subject,
    home.check_port,
    sound.check_audio,
    sound.check_voice,
    camera.check_camera,
    camera.check_codecs,
    home.check_daemon,
    installation.check_kept,
    installation.check_train,
    installation.check_gpu,
)


def groups() -> list[str]:
    """What can be asked for, in order."""
    return [_name(group) for group in CHECKS]


def run_checks(only: Collection[str] = ()) -> list[Check]:
    """All checks, or those of the groups `only`, in order; none of them raises or hangs."""
    chosen = [group for group in CHECKS if not only or _name(group) in only]
    with ThreadPoolExecutor(max_workers=4) as pool:
        return [check for found in pool.map(_guarded, chosen) for check in found]


def can_start(checks: Iterable[Check]) -> bool:
    """Whether all that is needed is there."""
    return all(check.ok for check in checks if check.level == "needed")


def _guarded(group: Callable[[], Iterable[Check]]) -> list[Check]:
    try:
        return list(group())
    except Exception as error:
        return [Check(_name(group), False, "needed", f"could not be checked: {type(error).__name__}: {error}")]


def _name(group: Callable[[], Iterable[Check]]) -> str:
    return group.__name__.removeprefix("check_")

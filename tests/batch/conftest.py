"""A subject that draws at once, in a home of its own, and lists of made-up speech."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lsp_cam import folders

from ..devices.media import noise, write_float_wav
from ..sketch import sketch_of

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]


@pytest.fixture(scope="session")
def drawn(reference_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the subject `sketch`."""
    home = tmp_path_factory.mktemp("home")
    sketch_of(reference_bundle(), home / "subjects" / "sketch")
    return home


@pytest.fixture(scope="module", autouse=True)
def at_home(drawn: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(folders.HOME_VARIABLE, str(drawn))
        patch.setenv("PYTHONUNBUFFERED", "1")
        yield


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command as a user runs it."""
    return subprocess.run([*ENTRY, *map(str, arguments)], capture_output=True, text=True, timeout=600, check=False)


def recordings(folder: Path, seconds: dict[str, float]) -> Path:
    """Write noise of these lengths, by name; gives the list of them."""
    folder.mkdir(exist_ok=True)
    for seed, (name, length) in enumerate(seconds.items()):
        write_float_wav(folder / f"{name}.wav", noise(length, seed))
    listing = folder / "list.txt"
    listing.write_text("# noise\n\n" + "".join(f"{name}.wav\n" for name in seconds))
    return listing

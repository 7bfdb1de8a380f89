"""A minute of fuzzing, from the corpus on; `python -m tests.fuzz TARGET --seconds N` goes on from there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_cam.errors import BundleError

from .targets import TARGETS, BrokenPromiseError, built, bundle, control, room

CORPUS = Path(__file__).parent / "corpus"
SECONDS = 60 // len(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_a_while_of_fuzzing(target: str, tmp_path: Path) -> None:
    assert any((CORPUS / target).iterdir())
    # A shell between: a child's peak of memory, which the fuzzer bounds, begins at that of who started it.
    command = ["sh", "-c", '"$@"; exit $?', "sh"]
    command += [sys.executable, "-m", "tests.fuzz", target, "--seconds", str(SECONDS), "--keep", str(tmp_path / "keep")]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr


member = st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60))


@settings(max_examples=40, deadline=None)
@given(st.lists(member, max_size=6))
def test_whole_archives_of_any_members(members: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(bytes((kind, flags, len(body), 0)) + body for kind, flags, body in members)
    assert built(data).startswith(b"PK")
    bundle(b"\1" + data)


def test_the_targets_see_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that lets everybody in, and an unpacker that climbs, are found at once."""
    monkeypatch.setattr("lsp_cam.web.guard.Guard._authenticate", lambda *_: False)
    with pytest.raises(BrokenPromiseError, match="without the token"):
        control(b"GET /api/openapi.json\nHost: 127.0.0.1:4242\n\n")

    def climb(file: Path, root: Path) -> None:
        (root.parents[3] / "climbed").mkdir()
        raise BundleError("too late")

    monkeypatch.setattr("lsp_cam.store.unpack", climb)
    try:
        with pytest.raises(BrokenPromiseError, match="outside the store"):
            bundle(b"\1")
    finally:
        (room() / "climbed").rmdir()

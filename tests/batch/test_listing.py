"""Lists: what a line means, and which are refused before any work is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from lsp_cam.batch.listing import Clip, check_films, read_list
from lsp_cam.errors import DeviceError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.wav", "b c.ogg", "sub/a.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_a_line_is_a_recording_and_perhaps_a_name(folder: Path) -> None:
    listing = folder / "list"
    listing.write_text("a.wav\n\n# not this\n b c.ogg \nsub/a.wav\tsub/other.mov\n")
    out = Path("films")
    assert read_list(listing, out) == [
        Clip(folder / "a.wav", out / "a.mp4"),
        Clip(folder / "b c.ogg", out / "b c.mp4"),
        Clip(folder / "sub/a.wav", out / "sub/other.mov"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no recording"),
        ("# nothing\n", "names no recording"),
        ("a.wav\nnowhere.wav\n", "line 2: there is no file .*nowhere.wav"),
        ("sub\n", "line 1: there is no file"),
        ("a.wav\nsub/a.wav\n", "line 2: .*a.mp4 is already the film of .*a.wav"),
    ],
)
def test_bad_lists(folder: Path, text: str, said: str) -> None:
    (folder / "list").write_text(text)
    with pytest.raises(UsageError, match=said):
        read_list(folder / "list", Path("films"))


def test_lists_that_cannot_be_read(folder: Path) -> None:
    (folder / "list").write_bytes(b"\xff\xfe\x00")
    for name in ("list", "nowhere"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_list(folder / name, Path("films"))


def test_films_that_cannot_be(folder: Path) -> None:
    with pytest.raises(UsageError, match="must end in"):
        check_films([Clip(folder / "a.wav", folder / "films" / "a.avi")])
    with pytest.raises(UsageError, match="cannot be made"):
        check_films([Clip(folder / "a.wav", folder / "a.wav" / "a.mp4")])
    (folder / "a.mp4").mkdir()
    with pytest.raises(DeviceError, match="is a folder"):
        check_films([Clip(folder / "a.wav", folder / "a.mp4")])

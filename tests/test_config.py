"""The user's settings: what is wrong is named, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lsp_cam import folders
from lsp_cam.config import RunSettings, colour_of, load, parse_size
from lsp_cam.errors import UsageError


def test_without_a_file_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "config.toml") == RunSettings()


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('subject = "may"\nfps = 25\nsize = "1280x720"\nmirror = true\n')
    found = load(path)
    assert (found.subject, found.fps, found.size_px, found.mirror) == ("may", 25, (1280, 720), True)
    assert found.mic == "auto"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('subjekt = "may"', ("subjekt", "subject")),
        ("nonsense = 1", ("nonsense", "Known are", "camera")),
        ('fps = "30"', ("fps", "integer")),
        ("fps = 0", ("fps", "1")),
        ("fps = 61", ("fps", "60")),
        ("fps = true", ("fps",)),
        ("mirror = 1", ("mirror",)),
        ("threads = 0", ("threads",)),
        ("seed = -1", ("seed",)),
        ("port = 70000", ("port",)),
        ('size = "big"', ("big", "1280x720")),
        ("size = 720", ("size",)),
        ('fill = ""', ("fill",)),
        ('camera_format = "mjpg"', ("camera_format", "nv12")),
        ("[subject]\nname = 1", ("subject",)),
        ("subject = ", ("TOML", "delete")),
        ("a = " + "[" * 5000, ("TOML",)),
        ("fps = 1\nfps = 2", ("TOML",)),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(path)
    for word in words:
        assert word in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)
    (tmp_path / "x").write_bytes(b"\xff\xfe\0")
    with pytest.raises(UsageError, match="not TOML"):
        load(tmp_path / "x")


def test_options_override_and_are_checked() -> None:
    settings = RunSettings(fps=25, subject="may").override({"fps": 50, "subject": None, "size": "640x480"})
    assert (settings.fps, settings.subject, settings.size_px) == (50, "may", (640, 480))
    with pytest.raises(UsageError, match="--fps"):
        settings.override({"fps": 99})
    with pytest.raises(UsageError, match="no '--colour'"):
        settings.override({"colour": "red"})


@pytest.mark.parametrize(
    ("text", "size"),
    [("1280x720", (1280, 720)), ("720", (720, 720)), (" 640 X 480 ", (640, 480)), ("1920×1080", (1920, 1080))],
)
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1280x",
        "x720",
        "-640x480",
        "1280x720x3",
        "1e3",
        "641x480",
        "640x481",
        "0x0",
        "62",
        "4098",
        "9" * 9,
        "٦٤٠",
    ],
)
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="size"):
        parse_size(text)


@pytest.fixture
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.delenv(folders.HOME_VARIABLE, raising=False)
    for name in ("DATA", "CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    return tmp_path


def test_everything_under_one_roof(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(folders.HOME_VARIABLE, str(tmp_path))
    found: list[Any] = [folders.home(), folders.config_file(), folders.state_folder()]
    assert found == [tmp_path, tmp_path / "config.toml", tmp_path / "state"]


def test_the_checkout_is_home_if_it_can_be_written(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folders.checkout()
    assert root is not None
    assert folders.home() == root
    monkeypatch.setattr("os.access", lambda *_: False)
    assert folders.home() == no_home / "DATA" / "lsp-cam"


def test_without_a_checkout(no_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "checkout", lambda: None)
    assert folders.home() == no_home / "DATA" / "lsp-cam"
    assert folders.config_file() == no_home / "CONFIG" / "lsp-cam" / "config.toml"
    assert folders.state_folder() == no_home / "STATE" / "lsp-cam"
    assert folders.install_command("train").endswith("-m pip install 'lsp-cam[train]'")


def test_install_command_of_a_checkout() -> None:
    assert folders.install_command("train").endswith(f"-m pip install -e '{folders.checkout()}[train]'")


def test_colours() -> None:
    assert colour_of("#345") == colour_of("#334455") == (0x33, 0x44, 0x55)
    assert colour_of("#AbCdEf") == (0xAB, 0xCD, 0xEF)
    assert colour_of("white") == (255, 255, 255)
    for other in ("blur", "#12", "#1234567", "room.jpg", "334455"):
        assert colour_of(other) is None

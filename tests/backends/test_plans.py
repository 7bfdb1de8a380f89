"""Engines on disk: only what was made of this network, by this library, for this device is ever given back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lsp_cam.backends.plans import Maker, Plans
from lsp_cam.errors import ModelError

MAKER = Maker("tensorrt-rtx", "1.7.1", "NVIDIA GeForce RTX 4090 8.9")


@pytest.fixture
def plans(tmp_path: Path) -> Plans:
    return Plans(tmp_path / "engines")


def test_an_engine_comes_back_as_it_was_put(plans: Plans) -> None:
    assert plans.get(b"network", MAKER) is None
    plans.put(b"network", MAKER, b"first\nline and more\n")
    assert plans.get(b"network", MAKER) == b"first\nline and more\n"


@pytest.mark.parametrize("other", [{"library": "tensorrt"}, {"version": "1.8"}, {"device": "NVIDIA L4 8.9"}])
def test_another_make_is_not_given(plans: Plans, other: dict[str, str]) -> None:
    plans.put(b"network", MAKER, b"engine")
    assert plans.get(b"network", replace(MAKER, **other)) is None
    assert plans.get(b"another network", MAKER) is None


def test_a_file_of_another_make_under_the_right_name_is_not_given(plans: Plans) -> None:
    other = replace(MAKER, device="NVIDIA L4 8.9")
    plans.put(b"network", other, b"engine")
    (foreign,) = plans.files()
    plans.put(b"network", MAKER, b"engine")
    mine = next(file for file in plans.files() if file != foreign)
    mine.write_bytes(foreign.read_bytes())
    assert plans.get(b"network", MAKER) is None


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:-1] + b"!", lambda data: b"", bytes])
def test_a_damaged_file_is_not_given(plans: Plans, damage: object) -> None:
    plans.put(b"network", MAKER, b"engine")
    (file,) = plans.files()
    assert callable(damage)
    changed = damage(file.read_bytes())
    file.write_bytes(changed)
    assert (plans.get(b"network", MAKER) == b"engine") == (damage is bytes)


def test_clean_leaves_nothing_of_ours(plans: Plans) -> None:
    assert plans.clean() == 0
    plans.put(b"one", MAKER, b"1")
    plans.put(b"two", MAKER, b"2")
    (plans.folder / ".part-killed").write_bytes(b"half")
    (plans.folder / "notes.txt").write_text("not ours")
    assert plans.clean() == 2
    assert [file.name for file in plans.folder.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "engines").write_text("a file")
    with pytest.raises(ModelError, match="cannot be written"):
        Plans(tmp_path / "engines").put(b"network", MAKER, b"engine")

"""`lsp-cam train speech`: trains, goes on where it was, and says what is wrong with recordings."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.train.corpus import is_held_out
from lsp_cam.train.encoder import load_encoder
from lsp_cam.train.speech_fit import Config
from tests.cli.conftest import Invoke


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two speakers to train on and one held out."""
    names = [f"speaker{k}" for k in range(60)]
    chosen = [n for n in names if is_held_out(n)][:1] + [n for n in names if not is_held_out(n)][:2]
    (tmp_path / "speech").mkdir()
    for name in chosen:
        shutil.copy(sample_speech(), tmp_path / "speech" / f"{name}.ogg")
    return tmp_path / "speech"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two, looked at after every second step."""
    for name, value in {"batch": 2, "rows": 40, "check_every": 2, "save_every": 1}.items():
        monkeypatch.setattr(Config, name, value)
        defaults = list(Config.__init__.__defaults__ or ())
        fields = [f for f in Config.__dataclass_fields__ if f not in ("folders", "cache", "out")]
        defaults[fields.index(name)] = value
        monkeypatch.setattr(Config.__init__, "__defaults__", tuple(defaults))


def test_it_trains_and_goes_on(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF no wave at all")
    command = ["train", "speech", folder, "--out", tmp_path / "out", "--threads", 1]
    first = invoke(*command, "--steps", 2)
    assert first.exit_code == 0, first.output
    assert "left out: broken.wav cannot be read" in first.output
    assert "2 recordings to train on, 1 held out" in first.output
    assert "step 2: held-out speakers" in first.output
    again = invoke(*command, "--steps", 4)
    assert "step 4: held-out speakers" in again.output
    assert "step 2:" not in again.output
    steps = (tmp_path / "out" / "speech.csv").read_text().split()[1:]
    assert [line.partition(",")[0] for line in steps] == ["1", "2", "3", "4"]
    load_encoder(tmp_path / "out" / "speech_encoder.npz")


def test_folders_that_cannot_be_trained_on(invoke: Invoke, tmp_path: Path, folder: Path) -> None:
    out = ["--out", tmp_path / "out"]
    (tmp_path / "empty").mkdir()
    for wrong, said in [
        (tmp_path / "nowhere", "is not a folder. Name folders that hold recordings"),
        (tmp_path / "empty", "There is no sound in"),
    ]:
        result = invoke("train", "speech", wrong, *out)
        assert result.exit_code == 1
        assert said in result.output
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.wav").write_bytes(b"nothing")
    result = invoke("train", "speech", tmp_path / "broken", *out)
    assert result.exit_code == 1
    assert "None of the 1 recordings can be used: a.wav cannot be read" in result.output


def test_one_speaker_cannot_be_held_out(invoke: Invoke, tmp_path: Path, folder: Path) -> None:
    for path in list(folder.iterdir())[1:]:
        path.unlink()
    result = invoke("train", "speech", folder, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "Add recordings of more people" in result.output


def test_another_corpus_needs_another_place(invoke: Invoke, tmp_path: Path, folder: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    out = tmp_path / "out"
    assert invoke("train", "speech", folder, "--out", out, "--steps", 1, "--threads", 1).exit_code == 0
    result = invoke("train", "speech", other, "--out", out)
    assert result.exit_code == 2
    assert "was begun with other folders" in result.output


def test_without_the_extra(invoke: Invoke, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "torch" else real(name, *a))
    result: Any = invoke("train", "speech", folder, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "pip install 'lsp-cam[train]'" in result.output

"""Phones: given, told the words, or heard by pocketsphinx with the model in its own package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import AudioError, UsageError
from lsp_cam.train.evaluate.phones import SILENCE, Phone, find_phones


@pytest.fixture(scope="module")
def grid(shared: Path) -> tuple[Path, np.ndarray]:
    video = shared / "data/grid_s1/grid_s1_val.mp4"
    return video, read_audio(video)


def test_given_phones_are_moved_to_the_part_that_is_measured(tmp_path: Path) -> None:
    (tmp_path / "a.phones.json").write_text(json.dumps({"phones": [["AH0", 0, 1], ["M", 1, 2], ["SIL", 2, 3]]}))
    found = find_phones(tmp_path / "a.mp4", np.zeros(16_000, np.float32), 1.0)
    assert found.phones == [Phone("M", 0, 1)]
    assert found.source == "a.phones.json"


def test_words_lead_to_phones_where_they_are_spoken(grid: tuple[Path, np.ndarray]) -> None:
    video, samples = grid
    found = find_phones(video, samples[: 3 * 16_000], 0.0)
    said = [phone for phone in found.phones if phone.name != SILENCE]
    assert "".join(p.name for p in said[:3]) == "BIHN"  # bin white by g eight now
    starts = {name: next(p.start_s for p in said if p.name == name) for name in ("B", "W", "JH")}
    assert starts == {
        "B": pytest.approx(0.69, abs=0.1),
        "W": pytest.approx(0.92, abs=0.1),
        "JH": pytest.approx(1.29, abs=0.1),
    }
    assert any(p.name == SILENCE and p.end_s - p.start_s > 0.5 for p in found.phones)


def test_phones_are_heard_without_words(grid: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    found = find_phones(tmp_path / "no.mp4", grid[1][: 3 * 16_000], 0.0)
    assert found.source == "pocketsphinx, by ear"
    assert any(p.name == "B" and p.start_s == pytest.approx(1.1, abs=0.15) for p in found.phones)


def test_a_part_in_the_middle_is_on_its_own_timeline(grid: tuple[Path, np.ndarray]) -> None:
    video, samples = grid
    found = find_phones(video, samples[3 * 16_000 : 6 * 16_000], 3.0)  # lay white by l seven soon
    said = [phone for phone in found.phones if phone.name != SILENCE]
    assert said[0].name == "L"
    assert next(p.start_s for p in said if p.name == "W") == pytest.approx(0.83, abs=0.12)


def test_silence_is_not_speech(tmp_path: Path) -> None:
    (tmp_path / "phones.json").write_text(json.dumps({"phones": [["SIL", 0, 2]]}))
    with pytest.raises(AudioError, match="no speech"):
        find_phones(tmp_path / "still.mp4", np.zeros(32_000, np.float32), 0.0)


@pytest.mark.parametrize("text", ["", "[]", '{"phones": [["A", 1]]}', '{"words": []}'])
def test_a_damaged_list_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "phones.json").write_text(text)
    with pytest.raises(UsageError, match="phones"):
        find_phones(tmp_path / "a.mp4", np.zeros(16_000, np.float32), 0.0)

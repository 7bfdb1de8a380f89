"""How subjects are liked, from one run to the next."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.daemon.memory import AS_EVER, Memory
from lsp_cam.packets import Manner
from lsp_cam.stages.steer import Steering

CALM = Manner(liveliness=0.2, mouth=1.4)


def test_what_is_kept_is_there_in_the_next_run_for_that_subject_alone(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "state" / "likings.json")
    memory.keep("anna", CALM)
    memory.keep("anna", steering=Steering("fixed", yaw_deg=7, mirror=True))
    memory.save()
    again = Memory(tmp_path / "state" / "likings.json")
    assert again.of("anna").manner == CALM
    steering = again.of("anna").steering
    assert steering is not None
    assert (steering.mode, steering.yaw_deg, steering.mirror) == ("fixed", 7, True)
    assert again.of("bert") == AS_EVER
    assert stat.S_IMODE((tmp_path / "state" / "likings.json").stat().st_mode) == 0o600


def test_what_is_of_the_moment_is_not_kept(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "likings.json")
    memory.keep("anna", steering=Steering("hold"))
    memory.keep("anna", steering=Steering("track", track=np.zeros((3, 6), np.float32)))
    assert memory.of("anna") == AS_EVER


def test_forgotten_is_forgotten(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "likings.json")
    memory.keep("anna", CALM)
    memory.save()
    memory.forget("anna")
    memory.save()
    assert Memory(tmp_path / "likings.json").of("anna") == AS_EVER


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"subjects": 3}', '{"subjects": {"anna": {"manner": {"mouth": 99}}}}',
     '{"subjects": {"anna": {"manner": {"nose": 1}}}}', '{"subjects": {"anna": {"steering": {"mode": "up"}}}}'],
)  # fmt: skip
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "likings.json"
    path.write_text(text)
    memory = Memory(path)
    assert memory.of("anna") == AS_EVER
    memory.keep("bert", CALM)
    memory.save()
    assert Memory(path).of("bert").manner == CALM


def test_a_place_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    memory = Memory(tmp_path / "file" / "likings.json")
    memory.keep("anna", CALM)
    memory.save()
    assert "cannot be kept" in caplog.text
    assert memory.of("anna").manner == CALM

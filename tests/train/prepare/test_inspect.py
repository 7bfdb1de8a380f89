"""Videos that cannot make a subject are refused in plain words; those that make a poor one are warned of."""

from pathlib import Path

import numpy as np
import pytest

from lsp_cam.errors import UsageError
from lsp_cam.train.prepare.inspect import Findings, Limits, inspect
from lsp_cam.train.prepare.mesh import Face
from lsp_cam.train.prepare.source import look
from tests.train.prepare.clips import FPS, laid_down, pictures_of, speech_of, write_video

SHORT = Limits(shortest_s=1.0, smallest_face_px=20)
SECONDS = 2


@pytest.fixture(scope="module")
def shown(shared: Path) -> np.ndarray:
    return pictures_of(shared, SECONDS * FPS)


def run(path: Path, limits: Limits = SHORT) -> tuple[Findings, list[Face]]:
    return inspect([look(path)], limits, lambda share: None)


def test_a_good_video_is_described(tmp_path: Path, shared: Path, shown: np.ndarray) -> None:
    found, faces = run(write_video(tmp_path / "good.mp4", shown, speech_of(shared, SECONDS)))
    assert (found.faceless, found.rivals, found.fps) == (0, 0, FPS)
    assert found.speech > 0.5
    assert all(abs(face.x - 96) < 15 and 40 < face.side < 90 for face in faces)
    assert any("three to five minutes" in warning for warning in found.warnings)
    assert any("pictures a second are few" in warning for warning in found.warnings)


def test_four_seconds_are_too_few(tmp_path: Path, shared: Path, shown: np.ndarray) -> None:
    path = write_video(tmp_path / "short.mp4", shown[np.arange(4 * FPS) % len(shown)], speech_of(shared, 4))
    with pytest.raises(UsageError, match=r"4\.0 s of picture and sound, too little"):
        run(path, Limits())


def test_nobody_is_seen(tmp_path: Path, shared: Path) -> None:
    grey = np.full((SECONDS * FPS, 96, 96, 3), 128, np.uint8)
    with pytest.raises(UsageError, match="No face is seen in 100% of the pictures"):
        run(write_video(tmp_path / "grey.mp4", grey, speech_of(shared, SECONDS)))


def test_two_people_are_one_too_many(tmp_path: Path, shared: Path, shown: np.ndarray) -> None:
    with pytest.raises(UsageError, match="Two faces are seen"):
        run(write_video(tmp_path / "two.mp4", np.concatenate([shown, shown], axis=2), speech_of(shared, SECONDS)))


def test_longer_sound_and_a_lying_phone_are_told(tmp_path: Path, shared: Path, shown: np.ndarray) -> None:
    lying = np.ascontiguousarray(np.rot90(shown, 1, axes=(1, 2)))
    path = laid_down(write_video(tmp_path / "phone.mp4", lying, speech_of(shared, SECONDS + 2)))
    found, _ = run(path)
    assert found.faceless == 0
    assert any("the sound is 2.0 s longer" in warning for warning in found.warnings)
    assert any("filmed lying" in warning for warning in found.warnings)
    assert found.seconds == pytest.approx(SECONDS)


def test_videos_of_two_cameras_do_not_go_together(tmp_path: Path, shared: Path, shown: np.ndarray) -> None:
    speech = speech_of(shared, SECONDS)
    wide = write_video(tmp_path / "wide.mp4", np.concatenate([shown, shown], axis=2), speech)
    plain = write_video(tmp_path / "plain.mp4", shown, speech)
    with pytest.raises(UsageError, match="one camera at one setting"):
        inspect([look(plain), look(wide)], SHORT, lambda share: None)

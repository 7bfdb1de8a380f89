"""A video that nobody has tracked yet: crop, landmarks and motion."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from lsp_cam.devices.videofile import VideoFileSink
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.errors import UsageError
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate.faces import find_faces
from lsp_cam.train.evaluate.follow import Known, known
from lsp_cam.train.evaluate.footage import part_of
from lsp_cam.train.evaluate.head import angles_between
from lsp_cam.train.evaluate.tracking import own_square, track
from lsp_cam.train.prepare.crop import Square
from lsp_cam.train.synthetic import read_tracked

SPEECH = np.zeros(32_000, np.float32)


@pytest.fixture(scope="module")
def person() -> Known:
    return known(Subject.open(Path(__file__).resolve().parents[3] / "subjects" / "demo"))


def test_the_subjects_own_square_is_where_its_camera_looks_through_the_middle() -> None:
    wanted = Square(30, 0, 288, 256)
    own = Square(41, 3, 288, 256)
    camera = np.eye(3)
    camera[:2, 2] = own.centre_of(360, 300)
    assert own_square(wanted, camera, 360, 300) == own
    assert own_square(wanted, camera, 1920, 1080) is None  # another camera: that place is not near the face


def test_a_short_video_is_tracked_to_the_true_motion(shared: Path, tmp_path: Path, person: Known) -> None:
    source = shared / "data/synthetic"
    with VideoFileSink(tmp_path / "short.mp4", speech=read_audio(source / "audio.wav")) as sink:
        sink.open(512, 512, 30)
        with av.open(str(source / "footage.mp4")) as video:
            for _, frame in zip(range(36), video.decode(video=0)):
                sink.send(frame.to_ndarray(format="rgb24"))
    held_out, facts = track(tmp_path / "short.mp4", person, 512, 0.1, 1.2)
    truth = part_of(read_tracked(source), 3, 36)
    assert (len(held_out.frames), len(held_out.samples)) == (33, 17_600)
    assert held_out.start_s == pytest.approx(0.1)
    assert facts["square"] == [0, 0, 512]
    assert facts["offset_removed"]  # the rig's points are not the mesh's
    assert not facts["shoulders_seen"]  # the demo's bundle does not say what its body looks like
    assert angles_between(held_out.tracked.angles, truth.angles).mean() < 1.5
    faces = find_faces()
    assert faces is not None
    seen = faces(held_out.frames[0])
    assert seen is not None
    away = seen - truth.project(truth.points)[0]
    assert np.linalg.norm(away, axis=1).max() < 15


def test_a_video_without_a_face_is_refused(tmp_path: Path, person: Known) -> None:
    with VideoFileSink(tmp_path / "wall.mp4", speech=SPEECH) as sink:
        sink.open(128, 128, 10)
        for _ in range(15):
            sink.send(np.full((128, 128, 3), 90, np.uint8))
    with pytest.raises(UsageError, match="No face"):
        track(tmp_path / "wall.mp4", person, 512, 0.0, None)
    with pytest.raises(UsageError, match="less than 1 s"):
        track(tmp_path / "wall.mp4", person, 512, 1.0, None)

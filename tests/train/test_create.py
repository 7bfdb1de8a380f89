"""A subject from a few seconds of video: made whole, made after a kill, refused where it cannot be made."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.errors import DeviceError, ModelError, UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ, frames_in
from lsp_cam.train import create as creation
from lsp_cam.train import create_check, create_motion
from lsp_cam.train.create import TRACKED, create
from lsp_cam.train.create_check import FURTHEST
from lsp_cam.train.job import Effort, Job, Progress, Request, in_words
from lsp_cam.train.models.speech import SpeechEncoder
from lsp_cam.train.prepare import crop
from lsp_cam.train.prepare import work as work_folder
from lsp_cam.train.prepare.inspect import Limits
from lsp_cam.train.prepare.timeline import Segment, Timeline
from lsp_cam.train.prepare.work import Work, room_on_disk
from lsp_cam.train.render_lite import LiteConfig
from lsp_cam.train.tracked import Tracked, load_tracked, save_tracked
from lsp_cam.trust.consent import Consent
from tests.train.prepare.clips import FPS, pictures_of, speech_of, write_video

SECONDS = 7
CONSENT = Consent(shows="nobody", statement="a rendered person", how="nobody")
TINY = Effort(
    limits=Limits(shortest_s=2.0),
    variants=1,
    base_rows=64,
    mouth_steps=2,
    pose_steps=2,
    render_steps=2,
    lite=LiteConfig(warm_steps=1, warm_batch=1),
    checked_frames=2,
)
KILLED = """
import sys
from pathlib import Path
from lsp_cam.train.prepare import landmarks
from tests.train.test_create import TINY, request
from lsp_cam.train.create import create
landmarks.BLOCK = 10
create(request(Path(sys.argv[1])), Path(sys.argv[2]), resume=True, effort=TINY, until="track")
"""


def request(video: Path) -> Request:
    """What the tests ask for."""
    return Request((video,), "tiny", CONSENT, "CC0-1.0", size=256, threads=1)


@pytest.fixture(scope="module")
def video(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of one person, with a cut in the middle and a hand before the mouth near the end."""
    shown = pictures_of(shared, SECONDS * FPS, 256)
    half = len(shown) // 2
    shown[half:] = np.roll(shown[half:], 24, axis=2)
    shown[-12:-8, 120:190, 90:190] = (206, 160, 130)
    return write_video(tmp_path_factory.mktemp("video") / "talk.mp4", shown, speech_of(shared, SECONDS + 1))


@pytest.fixture(scope="module")
def made(video: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The work folder of a creation from end to end, and what it said."""
    folder, said = tmp_path_factory.mktemp("made"), list[str]()
    subject = create(request(video), folder, resume=False, say=said.append, effort=TINY)
    assert subject is not None
    subject.verify()
    return folder, said


def test_a_video_becomes_a_subject(made: tuple[Path, list[str]]) -> None:
    folder, said = made
    work, clip = Work(folder), load_tracked(folder / "tracked.npz")
    assert all(work.is_done(stage.name) for stage in creation.STAGES)
    assert SECONDS * FPS // 2 in work.facts("landmarks")["cuts"]
    assert 4 <= work.facts("landmarks")["dropped"] <= 14  # the hand, and the half second that is left after it
    assert any("pictures are left out" in line for line in said)
    assert any("the sound is 1.0 s longer" in line for line in said)
    assert os.path.getsize(folder / "kept.rgb") == len(clip.points) * 256 * 256 * 3
    assert abs(clip.angles.mean(axis=0) - [180, 0, 0]).max() < 6
    away = work.facts("check")["parity"]
    assert all(0 < away[name] <= most for name, most in FURTHEST.items()), "eight bits are not quite the same"


@pytest.mark.parametrize(
    ("part", "layer", "told"),
    [
        ("mouth", "fc.6.bias", "mouth_mm"),
        ("pose", "WaveNet.end_conv_2.bias", "head_deg"),
        ("pose", "WaveNet.end_conv_2.weight", r"head_\w+"),
        ("features", "", "features"),
    ],
)
def test_a_bundle_that_is_not_what_was_trained_is_told(
    made: tuple[Path, list[str]],
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
    layer: str,
    told: str,
) -> None:
    folder = shutil.copytree(made[0], tmp_path / "work")
    if part == "features":  # the encoder that ships has been another when it was written
        monkeypatch.setattr(create_check, "load_encoder", lambda: SpeechEncoder().eval())
    else:
        kept = folder / part / f"{part}_best.pt"
        state = torch.load(kept, weights_only=True)
        state["model"][layer] += 2
        torch.save(state, kept)
    (folder / "marks/check.json").unlink()
    with pytest.raises(ModelError, match=f"{told} is off by .*fault of lsp-cam"):
        create(request(video), folder, resume=True, say=lambda line: None, effort=TINY)


def test_killed_and_resumed_it_is_the_same(made: tuple[Path, list[str]], video: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(video), str(tmp_path)]
    first = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    blocks = tmp_path / "looks" / "second"
    deadline = time.monotonic() + 120
    while not (blocks.is_dir() and len(list(blocks.glob("*0.npz"))) > 1):
        assert first.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not (tmp_path / "marks" / "landmarks.json").exists()
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    for name in ("landmarks.npz", "timeline.npz", "face.npz"):
        with np.load(made[0] / name) as whole, np.load(tmp_path / name) as resumed:
            assert whole.files == resumed.files
            for key in whole.files:
                np.testing.assert_array_equal(resumed[key], whole[key])


def test_a_killed_crop_goes_on_where_it_was(made: tuple[Path, list[str]], video: Path, tmp_path: Path) -> None:
    shutil.copytree(made[0] / "marks", tmp_path / "marks", ignore=shutil.ignore_patterns("[!i]*"))
    shutil.copy(made[0] / "request.json", tmp_path)
    create(request(video), tmp_path, resume=True, say=lambda line: None, effort=TINY, until="crop")
    whole = (tmp_path / "frames.rgb").read_bytes()
    (tmp_path / "frames.rgb.partial").write_bytes(whole[: len(whole) // 3])
    (tmp_path / "frames.rgb").unlink()
    (tmp_path / "marks" / "crop.json").unlink()
    create(request(video), tmp_path, resume=True, say=lambda line: None, effort=TINY, until="crop")
    assert (tmp_path / "frames.rgb").read_bytes() == whole


def test_what_was_begun_is_not_begun_again_by_mistake(made: tuple[Path, list[str]], video: Path) -> None:
    with pytest.raises(UsageError, match="Add --resume"):
        create(request(video), made[0], resume=False)
    other = Request((video,), "tiny", CONSENT, "CC0-1.0", size=512)
    with pytest.raises(UsageError, match="of another size"):
        create(other, made[0], resume=True)
    with pytest.raises(UsageError, match="There is no file"):
        create(request(video.with_name("gone.mp4")), made[0], resume=True)


def test_what_was_refused_may_be_put_right(video: Path, shared: Path, tmp_path: Path) -> None:
    short = write_video(tmp_path / "short.mp4", pictures_of(shared, FPS), speech_of(shared, 1))
    with pytest.raises(UsageError, match="too little"):
        create(request(short), tmp_path / "work", resume=False, say=lambda line: None, effort=TINY, until="inspect")
    create(request(video), tmp_path / "work", resume=False, say=lambda line: None, effort=TINY, until="inspect")
    assert Work(tmp_path / "work").is_done("inspect")


def test_a_disk_that_fills_is_told_before_and_while(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(crop.shutil, "disk_usage", lambda folder: usage(1e9, 1e9, 1e6))
    with pytest.raises(DeviceError, match=r"The pictures need 0\.0 GB"):
        create(request(video), tmp_path, resume=False, say=lambda line: None, effort=TINY, until=TRACKED)

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    partial = tmp_path / "frames.rgb.partial"
    partial.write_bytes(bytes(int(crop.ROOM_TO_SPARE * SECONDS * FPS * 256 * 256 * 3)))  # so much need not be free
    crop.check_room(tmp_path / "frames.rgb", SECONDS * FPS, 256)
    partial.unlink()
    monkeypatch.setattr(crop, "check_room", lambda *given: None)
    monkeypatch.setattr(crop, "cut_all", full)
    with pytest.raises(DeviceError, match=r"is full\. Make room and run the same command with --resume"):
        create(request(video), tmp_path, resume=True, say=lambda line: None, effort=TINY, until=TRACKED)
    with pytest.raises(PermissionError), room_on_disk(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied")


def test_progress_tells_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [100.0], list[str]()
    monkeypatch.setattr("lsp_cam.train.job.time.monotonic", lambda: now[0])
    tell = Progress(said.append, "3/12 Finding landmarks", every_s=5)
    for share, seconds in ((0.5, 0), (0.52, 4), (0.75, 20), (0.8, 2)):
        now[0] += seconds
        tell(share)
    assert said == ["3/12 Finding landmarks: 75%, 24 s left"]
    assert [in_words(s) for s in (40, 200, 4800)] == ["40 s", "3 min", "1 h 20 min"]


def test_two_do_not_work_in_one_folder(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_folder, "ENDING_S", 0.1)
    with work_folder.held(tmp_path / "work"), pytest.raises(UsageError, match="Another lsp-cam is at work in"):
        create(request(video), tmp_path / "work", resume=False)
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700, "what is in it shows a person"
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UsageError, match="cannot be worked in"):
        create(request(video), tmp_path / "file", resume=False)
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("count", [59, 60, 61])
def test_motion_goes_as_far_as_the_sound_of_a_fast_video_is_heard(count: int, tmp_path: Path) -> None:
    """At 60 pictures a second the last one's sound may be a sample short of a frame."""
    rng = np.random.default_rng(0)
    clip = Tracked(
        60.0, rng.normal(size=(count, 73, 3)), np.zeros((73, 3)), np.zeros((count, 3)), np.zeros((count, 3)),
        np.zeros((count, 18, 3)), np.eye(3), np.zeros(3),
    )  # fmt: skip
    save_tracked(tmp_path / "tracked.npz", clip)
    Timeline(np.arange(count), [Segment(0, count)]).save(tmp_path / "timeline.npz")
    samples = round(count / clip.fps * SAMPLE_RATE_HZ)
    heard = frames_in(samples)
    np.save(tmp_path / "features.npy", np.zeros((1, heard, 4), np.float16))
    found = create_motion._pieces(Job(request(tmp_path), TINY, Work(tmp_path), print))
    assert sum(len(piece.clip.points) for piece in found) == heard
    assert count != 59 or heard == count - 1

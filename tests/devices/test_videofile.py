from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from lsp_cam.devices.videofile import VideoFileSink
from lsp_cam.errors import DeviceError, UsageError

from .media import lag, noise, picture, play


def write(path: Path, frames: int, fps: float = 30, seconds: float = 4.0, size: int = 64) -> None:
    with VideoFileSink(path, speech=noise(seconds)) as sink:
        sink.open(size, size, fps)
        for index in range(frames):
            sink.send(picture(index, size))


@pytest.mark.parametrize(
    ("name", "fps"), [("a.mp4", 60), ("a.mp4", 29.97), ("a.mp4", 12.5), ("a.mov", 25), ("a.mkv", 30)]
)
def test_picture_and_sound_start_together_and_keep_pace(tmp_path: Path, name: str, fps: float) -> None:
    frames = int(4.0 * fps) - 7
    write(tmp_path / name, frames, fps)
    video = play(tmp_path / name)
    assert len(video.frames) == frames
    assert video.times == pytest.approx([i / fps for i in range(frames)], abs=0.002)
    assert np.mean([abs(f.astype(int) - picture(i)).mean() for i, f in enumerate(video.frames)]) < 4
    assert video.sound_start_s == 0
    assert lag(video.sound, noise(4.0)) == 0
    assert os.listdir(tmp_path) == [name]


def test_all_speech_stays_when_the_picture_ends_a_little_earlier(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 60 * 4 - 15, 60)
    with av.open(str(tmp_path / "a.mp4")) as file:
        sound = file.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(4.0, abs=0.001)


def test_speech_far_beyond_the_picture_is_left_out(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 30, seconds=60)
    assert 1.4 < len(play(tmp_path / "a.mp4").sound) / 16_000 < 1.7


def test_no_speech_at_all(tmp_path: Path) -> None:
    with VideoFileSink(tmp_path / "a.mp4") as sink:
        sink.open(64, 64, 30)
        for index in range(5):
            sink.send(picture(index))
    assert len(play(tmp_path / "a.mp4").frames) == 5


def test_speech_as_it_comes(tmp_path: Path) -> None:
    speech = noise(2.0)
    with VideoFileSink(tmp_path / "a.mp4") as sink:
        sink.open(64, 64, 30)
        for index in range(60):
            sink.add_speech(speech[index * 533 : (index + 1) * 533])
            sink.send(picture(index))
    video = play(tmp_path / "a.mp4")
    assert lag(video.sound, speech) == 0


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.mp4", 70)
        write(tmp_path / f"{name}.mkv", 70)
        time.sleep(1.1)  # a time stamp would differ
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_players_find_the_index_in_front_and_the_usual_colours(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 40)
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    assert b"moof" not in data
    with av.open(str(tmp_path / "a.mp4")) as file:
        video = file.streams.video[0].codec_context
        assert (video.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.colorspace, video.color_primaries, video.color_trc, video.color_range) == (1, 1, 1, 1)
        assert file.streams.audio[0].codec_context.name == "aac"


def test_odd_sizes_become_even_and_other_shapes_are_fitted(tmp_path: Path) -> None:
    with VideoFileSink(tmp_path / "a.mp4") as sink:
        sink.open(129, 73, 30)
        sink.send(picture(3))
        assert "128x72 at 30 fps" in sink.describe()
    assert play(tmp_path / "a.mp4").frames[0].shape == (72, 128, 3)


def test_an_old_file_stays_until_the_new_one_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    sink = VideoFileSink(path)
    sink.open(64, 64, 30)
    sink.send(picture(0))
    assert path.read_bytes() == b"old"
    sink.close()
    sink.close()
    assert len(play(path).frames) == 1


def test_an_error_on_the_way_leaves_the_old_file_and_a_part_that_plays(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")

    def fail_after(frames: int) -> None:
        with VideoFileSink(path) as sink:
            sink.open(64, 64, 30)
            for index in range(frames):
                sink.send(picture(index))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after(0)
    assert os.listdir(tmp_path) == ["a.mp4"]
    with pytest.raises(ZeroDivisionError):
        fail_after(9)
    assert path.read_bytes() == b"old"
    assert len(play(tmp_path / "a.mp4.part").frames) == 9


def test_without_a_frame_there_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")
    with VideoFileSink(tmp_path / "a.mp4", speech=noise(1)) as sink:
        sink.open(64, 64, 30)
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_what_cannot_work_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must end in \.mp4"):
        VideoFileSink(tmp_path / "a.avi")
    with pytest.raises(DeviceError, match="mkdir -p"):
        VideoFileSink(tmp_path / "no" / "a.mp4")
    (tmp_path / "b.mp4").mkdir()
    with pytest.raises(DeviceError, match="is a folder"):
        VideoFileSink(tmp_path / "b.mp4")
    with pytest.raises(DeviceError, match="cannot be written to"):
        VideoFileSink("/proc/self/a.mp4")
    with pytest.raises(UsageError, match="0 frames per second"):
        VideoFileSink(tmp_path / "a.mp4").open(64, 64, 0)
    with pytest.raises(DeviceError, match="before it was opened"):
        VideoFileSink(tmp_path / "a.mp4").send(picture(0))
    assert os.listdir(tmp_path) == ["b.mp4"]


CHILD = textwrap.dedent(
    """
    import sys
    import numpy as np
    from lsp_cam.devices.videofile import VideoFileSink
    from lsp_cam.errors import DeviceError

    random = np.random.default_rng(0)
    try:
        with VideoFileSink(sys.argv[1], speech=np.zeros(16_000 * 600, np.float32)) as sink:
            sink.open(128, 128, 30)
            for index in range(int(sys.argv[2])):
                sink.send(random.integers(0, 255, (128, 128, 3)).astype(np.uint8))
                print(index, flush=True)
    except DeviceError as error:
        print("DeviceError:", error, flush=True)
        raise SystemExit(3)
    except KeyboardInterrupt:
        raise SystemExit(130)
    """
)


def child(path: Path, frames: int, limit_bytes: int | None = None) -> subprocess.Popen[str]:
    def limit() -> None:
        if limit_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", CHILD, str(path), str(frames)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit,
    )


def stop_after(process: subprocess.Popen[str], frame: int, number: int) -> tuple[int, str]:
    """Send a signal once `frame` was sent; gives the last frame that was, and what was printed on stderr."""
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stdout:
            if int(line) == frame:
                process.send_signal(number)
                break
        rest, err = process.stdout.read().split(), process.stderr.read()
    return int(rest[-1]) if rest else frame, err


@pytest.mark.parametrize("stop_at", [0, 37, 100])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_ctrl_c_leaves_a_whole_video(tmp_path: Path, stop_at: int, name: str) -> None:
    process = child(tmp_path / name, 100_000)
    last, err = stop_after(process, stop_at, signal.SIGINT)
    assert process.returncode == 130
    assert err == ""
    video = play(tmp_path / name)
    assert last + 1 <= len(video.frames) <= last + 2
    assert len(video.sound) / 16_000 == pytest.approx(len(video.frames) / 30 + 0.5, abs=0.1)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_killed_it_leaves_a_part_that_plays(tmp_path: Path, number: int, name: str) -> None:
    (tmp_path / name).write_bytes(b"old")
    process = child(tmp_path / name, 100_000)
    last, _ = stop_after(process, 300, number)
    assert process.returncode == -number
    assert (tmp_path / name).read_bytes() == b"old"
    video = play(tmp_path / f"{name}.part")
    assert len(video.frames) > last - 150
    assert video.times[0] == pytest.approx(0, abs=0.002)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    process = child(tmp_path / "a.mp4", 100_000, limit_bytes=3_000_000)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert err == ""
    assert "The disk is full after" in out
    assert "a.mp4.part" in out
    assert os.listdir(tmp_path) == ["a.mp4.part"]
    assert len(play_loosely(tmp_path / "a.mp4.part")) > 30


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if done.returncode != 0:
        pytest.skip("no right to mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_full_disk(small_disk: Path, name: str) -> None:
    (small_disk / name).write_bytes(b"old")
    process = child(small_disk / name, 100_000)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 3
    assert err == ""
    assert "The disk is full after" in out
    assert (small_disk / name).read_bytes() == b"old"
    assert len(play_loosely(small_disk / f"{name}.part")) > 30


def test_no_room_for_a_second_copy(small_disk: Path) -> None:
    process = child(small_disk / "a.mp4", 190)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out
    assert (small_disk / "a.mp4").stat().st_size > 1.5e6
    assert os.listdir(small_disk) == ["a.mp4"]
    assert len(play(small_disk / "a.mp4").frames) == 190


def play_loosely(path: Path) -> list[float]:
    """Times of the frames of a file that breaks off."""
    times = []
    with av.open(str(path)) as container:
        try:
            times += [float(frame.time) for frame in container.decode(video=0)]
        except av.error.InvalidDataError:
            with av.open(str(path)) as again:
                for packet in again.demux(video=0):
                    try:
                        times += [float(frame.time) for frame in packet.decode()]
                    except av.error.InvalidDataError:
                        break
    return times

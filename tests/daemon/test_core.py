"""The workers together, with a subject that has no networks and devices that are not there."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.daemon.memory import Memory
from lsp_cam.daemon.report import report
from lsp_cam.daemon.show import Due
from lsp_cam.daemon.status import affordable
from lsp_cam.devices.base import AudioBlock
from lsp_cam.devices.null import ListSink, ListVoice, NullSource
from lsp_cam.devices.wavfile import FileSource
from lsp_cam.errors import BundleError, DaemonError, DeviceError, DeviceLost, SubjectNotFound
from lsp_cam.packets import SAMPLE_RATE_HZ, Manner, UInt8
from lsp_cam.stages.steer import Steering

from .fakes import LOOK_AHEAD, FakeLoader, FakePipeline, FakeSubject, frame_of, loudness_of, shade_of, yaw_of

FPS = 30
PATIENCE_S = 60.0  # for what happens within a second on a machine that has nothing else to do


def loud(seconds: float) -> FileSource:
    return FileSource(np.full(int(seconds * SAMPLE_RATE_HZ), 0.5, np.float32), loop=False)


@contextmanager
def on_air(
    loader: FakeLoader | None = None,
    source: Any = None,
    camera: Any = None,
    memory: Memory | None = None,
    **settings: Any,
) -> Iterator[Daemon]:
    loader = loader or FakeLoader()
    options = Settings(**{"fps": FPS, **settings})
    source = source or NullSource()
    subject: Any = loader.find("anna")
    daemon = Daemon(subject, loader, lambda: source, camera, options, camera_is_device=True, memory=memory)
    try:
        daemon.begin()
        yield daemon
    finally:
        daemon.end()


def until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.01)


def noted(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> list[Due]:
    """What becomes due from now on."""
    due: list[Due] = []
    put = daemon.due.put

    def noting(picture: Due) -> None:
        due.append(picture)
        put(picture)

    monkeypatch.setattr(daemon.due, "put", noting)
    return due


def test_the_camera_shows_the_idle_portrait_at_once_and_then_what_is_due_in_order():
    """That nothing is left out is asked in made-up time (`test_showing`)."""

    class Awaiting(FileSource):
        """Says nothing before the camera shows something."""

        def read(self, timeout_s: float) -> AudioBlock | None:
            until(lambda: camera.frames)
            return super().read(timeout_s)

    camera = ListSink()
    source = Awaiting(np.full(SAMPLE_RATE_HZ * 3 // 2, 0.5, np.float32), loop=False, speed=None)
    with on_air(source=source, camera=camera) as daemon:
        assert daemon.stop.wait(PATIENCE_S), "the end of the speech ends the daemon"
    frames = [frame_of(f) for f in camera.frames]
    assert frames[0] == 0
    assert frames == sorted(frames)
    assert all(frame % 2 == 1 for frame in frames if frame), "at 30 fps every second frame is due"
    assert frames[-1] == 89, "frames held back for speech to come are shown at the end"


def test_no_thread_is_left():
    before = set(threading.enumerate())
    with on_air(camera=ListSink()) as daemon:
        until(lambda: daemon.camera.sent > 3)
    assert set(threading.enumerate()) <= before


def test_the_delay_is_told():
    """How long it is, is asked in made-up time (`test_showing`)."""
    with on_air(source=loud(60), camera=ListSink()) as daemon:
        until(lambda: report(daemon, "").latency.measured_p50_ms)
        told = report(daemon, "http://x/").latency
    assert told.algorithmic_ms == 1000 * LOOK_AHEAD / SAMPLE_RATE_HZ
    assert told.measured_p50_ms is not None
    assert told.measured_p95_ms is not None
    assert told.algorithmic_ms < told.measured_p50_ms <= told.measured_p95_ms


def test_a_slow_renderer_repeats_pictures_but_not_the_camera_is_slow():
    """How evenly, and at which rate, is asked in made-up time (`test_showing`)."""
    camera = ListSink()
    with on_air(FakeLoader(render_s=0.08), loud(3), camera) as daemon:
        assert daemon.stop.wait(PATIENCE_S)
        told = report(daemon, "http://x/").frames
    frames = [frame_of(f) for f in camera.frames]
    new = told.sent - told.repeated
    assert told.sent == len(frames)
    assert frames == sorted(frames)
    assert len(set(frames)) - 1 <= new <= 45
    assert told.sent + told.missed > 2 * new - 2, "2.4 ticks for each picture, kept or told of"
    assert new + told.skipped >= 40, "of the 90 frames 45 were due, and each was shown or is counted"


def test_nothing_is_rendered_that_nobody_sees_but_a_snapshot_is_fresh():
    loader = FakeLoader()
    began_s = time.monotonic()
    with on_air(loader, loud(60)) as daemon:
        until(lambda: frame_of(daemon.snapshot()) > 90)
    seconds = time.monotonic() - began_s
    assert len(loader.loaded[0].rendered) <= 2 + seconds, "the idle picture, one at once, and one a second"
    assert daemon.camera.sent == 0


def test_it_is_rendered_while_somebody_watches():
    loader = FakeLoader()
    with on_air(loader) as daemon, daemon.preview.watch():
        until(lambda: len(loader.loaded[0].rendered) > 10)
        first = daemon.preview.wait_jpeg(0, 2.0)
        assert first is not None
        assert daemon.preview.wait_jpeg(first[0], 2.0) is not None


def test_mute_lets_the_portrait_hear_silence():
    camera = ListSink()
    with on_air(source=loud(60), camera=camera) as daemon:
        until(lambda: loudness_of(daemon.snapshot()) > 100)
        daemon.mute(True)
        until(lambda: loudness_of(daemon.snapshot()) == 0)
        assert daemon.listener.level_dbfs == pytest.approx(-6, abs=0.1), "the level is that of the microphone"
        daemon.mute(False)
        until(lambda: loudness_of(daemon.snapshot()) > 100)


def test_the_head_is_steered_and_stays_so_after_a_switch():
    with on_air(camera=ListSink()) as daemon:
        daemon.steer(Steering("fixed", yaw_deg=25))
        until(lambda: yaw_of(daemon.snapshot()) == 25)
        daemon.switch("bert")
        until(lambda: shade_of(daemon.snapshot()) == 100)
        until(lambda: yaw_of(daemon.snapshot()) == 25)


def test_mirror_exchanges_left_and_right():
    with on_air(camera=ListSink(), mirror=True) as daemon:
        until(lambda: frame_of(daemon.snapshot()) > 5)
        assert (shade_of(daemon.snapshot()), daemon.snapshot()[5, -5, 0]) == (0, 200)
        daemon.mirror(False)
        until(lambda: shade_of(daemon.snapshot()) == 200)


def test_a_switch_leaves_no_gap_and_the_new_subject_has_heard_the_last_seconds(monkeypatch: pytest.MonkeyPatch):
    camera = ListSink()

    class Awaiting(FakeLoader):
        """Loads until the one who is on air has been seen to go on."""

        def load(self, subject: FakeSubject, observe: Any) -> FakePipeline:
            seen = len(camera.frames)
            until(lambda: not seen or len({frame_of(f) for f in camera.frames[seen:]}) > 15)
            return super().load(subject, observe)

    with on_air(Awaiting(), loud(60), camera, fps=60) as daemon:
        due = noted(daemon, monkeypatch)
        until(lambda: frame_of(daemon.snapshot()) > 150)
        daemon.switch("bert")
        assert daemon.subject == "bert"
        until(lambda: shade_of(daemon.snapshot()) == 100)
    frames, names = [one.landmarks.frame for one in due], [one.pipeline.subject.name for one in due]
    assert frames == list(range(frames[0], frames[-1] + 1)), "none is left out, and none comes twice"
    assert names == sorted(names)
    shades = [shade_of(f) for f in camera.frames]
    change = shades.index(100)
    assert set(shades[:change]) == {200}
    assert set(shades[change:]) == {100}
    shown = [frame_of(f) for f in camera.frames]
    assert shown == sorted(shown), "time does not jump back"
    assert loudness_of(camera.frames[change]) > 100, "the new one is in the middle of the speech"
    assert {f.shape for f in camera.frames} == {camera.frames[0].shape}


@pytest.mark.parametrize(("name", "error"), [("nobody", SubjectNotFound), ("broken", BundleError)])
def test_a_subject_that_does_not_load_changes_nothing(name: str, error: type[Exception]):
    with on_air(camera=ListSink()) as daemon:
        with pytest.raises(error):
            daemon.switch(name)
        sent = daemon.camera.sent
        until(lambda: daemon.camera.sent > sent + 5)
        assert daemon.subject == "anna"
        assert daemon.loading is None
        daemon.switch("bert")
        assert daemon.subject == "bert"


def test_ten_switches_in_a_row():
    with on_air(camera=ListSink()) as daemon:
        for turn in range(10):
            daemon.switch(("bert", "anna")[turn % 2])
        assert daemon.subject == "anna"


def test_one_switch_at_a_time():
    with on_air(FakeLoader(load_s=1.0), camera=ListSink()) as daemon:
        thread = threading.Thread(target=daemon.switch, args=("bert",))
        thread.start()
        until(lambda: daemon.loading == "bert")
        with pytest.raises(DaemonError, match="'bert'"):
            daemon.switch("anna")
        thread.join()
        assert daemon.subject == "bert"


class Flaky(ListSink):
    """Loses its device at the tenth frame; takes it back at the second attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0

    def open(self, width: int, height: int, fps: float) -> None:
        super().open(width, height, fps)
        self.opened += 1
        if self.opened == 2:
            raise DeviceError("There is no such camera.")

    def send(self, rgb: UInt8) -> None:
        super().send(rgb)
        if len(self.frames) == 10:
            raise DeviceLost("The camera is gone.")


def test_a_lost_camera_is_opened_again_and_told_of(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lsp_cam.daemon.outlets.RETRY_S", 0.2)
    camera = Flaky()
    with on_air(camera=camera) as daemon:
        until(lambda: daemon.outlets.problem)
        told = report(daemon, "http://x/")
        assert told.camera.state == "lost"
        assert any("The camera is gone" in w for w in told.warnings)
        until(lambda: camera.opened == 3 and len(camera.frames) > 15)
        assert report(daemon, "http://x/").camera.state == "live"


def test_a_worker_that_fails_ends_the_daemon_with_its_error():
    class Broken(NullSource):
        def read(self, timeout_s: float) -> Any:
            raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"), on_air(source=Broken(), camera=ListSink()) as daemon:
        assert daemon.stop.wait(5)


def test_a_camera_that_does_not_open_is_an_error_and_nothing_runs():
    class Shut(ListSink):
        def open(self, width: int, height: int, fps: float) -> None:
            raise DeviceError("The camera is busy.")

    before = set(threading.enumerate())
    with pytest.raises(DeviceError, match="busy"), on_air(camera=Shut()):
        pass
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize(("new", "kept"), [(55.0, 50), (31.0, 30), (29.9, 25), (9.0, 8)])
def test_the_rate_that_is_offered_can_be_kept(new: float, kept: int):
    assert affordable(new) == kept


def test_warnings_are_in_plain_words():
    with on_air(FakeLoader(render_s=0.1), camera=ListSink()) as daemon:
        daemon._began_s -= 60
        until(lambda: daemon.camera.sent > 40)
        assert not any("CPU is busy" in w for w in report(daemon, "").warnings), "it was watched for a moment only"
        daemon.camera.watched_since_s = time.monotonic() - 60
        told = report(daemon, "http://x/")
    assert any("CPU is busy" in w and "of 30 fps" in w for w in told.warnings)
    assert any("gives no sound" in w for w in told.warnings)


def test_a_renderer_that_fails_is_loaded_anew_while_the_portrait_rests(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("lsp_cam.daemon.mending.RETRY_S", 0.3)
    loader, camera = FakeLoader(), ListSink()
    with on_air(loader, loud(60), camera) as daemon:
        until(lambda: frame_of(camera.frames[-1]) > 5)
        pipeline = loader.loaded[0]
        pipeline.broken_until = 4
        until(lambda: daemon.mender.problem)
        until(lambda: frame_of(camera.frames[-1]) == 0)
        sent, heard = len(camera.frames), daemon.listener.history.end
        assert any("The portrait rests" in w and "out of order" in w for w in report(daemon, "").warnings)
        until(lambda: daemon.mender.mended == 1)
        until(lambda: frame_of(camera.frames[-1]) > frame_of(camera.frames[0]))
        assert report(daemon, "").renderer_problem is None
        assert pipeline.renewed == 4
        assert len(camera.frames) > sent + 5, "the camera got pictures all the time"
        assert daemon.listener.history.end > heard, "and the speech went on"


def test_speech_that_was_lost_is_told_of_for_a_minute(monkeypatch: pytest.MonkeyPatch):
    source = NullSource()
    monkeypatch.setattr(NullSource, "overflows", 3, raising=False)
    with on_air(source=source, camera=ListSink()) as daemon:
        until(lambda: any("Speech was lost 3 times in the last minute" in w for w in report(daemon, "").warnings))
        daemon.lost_speech._now = lambda: time.monotonic() + 61
        told = report(daemon, "")
        assert (told.microphone.overflows, told.microphone.overflows_lately) == (3, 0)
        assert not any("Speech was lost" in w for w in told.warnings)


def test_how_long_it_runs_is_not_asked_of_a_clock_that_can_be_set(monkeypatch: pytest.MonkeyPatch):
    with on_air(camera=ListSink()) as daemon:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        assert 0 <= report(daemon, "").uptime_s < 300


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_sound_do_not_reach_the_networks(wild: float):
    samples = np.full(SAMPLE_RATE_HZ, 0.5, np.float32)
    samples[4_000:4_010] = wild
    with on_air(source=FileSource(samples, loop=False)) as daemon:
        assert daemon.stop.wait(PATIENCE_S)
        heard = daemon.listener.history.since(daemon.listener.history.start)
    assert len(heard) >= len(samples)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= 4
    assert np.median(np.abs(heard[: len(samples)])) == 0.5


def test_paused_the_camera_gets_the_same_picture_and_nothing_is_rendered():
    loader, camera = FakeLoader(), ListSink()
    with on_air(loader, camera=camera) as daemon:
        until(lambda: len({frame_of(f) for f in camera.frames}) > 3)
        daemon.pause(True)
        sent = len(camera.frames)
        until(lambda: len(camera.frames) > sent + 2)  # one may have been on its way
        sent, rendered, began_s = len(camera.frames), len(loader.loaded[0].rendered), time.monotonic()
        until(lambda: len(camera.frames) > sent + 20)
        assert len({frame_of(f) for f in camera.frames[sent:]}) == 1
        seconds = time.monotonic() - began_s
        assert len(loader.loaded[0].rendered) <= rendered + 2 + seconds, "one a second, for a snapshot"
        daemon.pause(False)
        until(lambda: frame_of(camera.frames[-1]) > frame_of(camera.frames[sent]) + 5)


def test_another_microphone_is_heard_without_leaving_the_air():
    camera = ListSink()
    with on_air(source=FileSource(np.full(16_000, 0.2, np.float32)), camera=camera) as daemon:
        until(lambda: loudness_of(camera.frames[-1]) == 51)
        daemon.hear_from(FileSource(np.full(16_000, 0.8, np.float32), "other"))
        until(lambda: loudness_of(camera.frames[-1]) == 204)
        assert daemon.source.name == "other"


def test_what_loudspeakers_play_is_not_said_back(monkeypatch: pytest.MonkeyPatch):
    class FakeMonitor(FileSource):
        pass

    monkeypatch.setattr("lsp_cam.daemon.ears.Monitor", FakeMonitor)
    samples, voice = np.full(16_000, 0.5, np.float32), ListVoice()
    loader: Any = FakeLoader()
    daemon = Daemon(loader.find("anna"), loader, lambda: FileSource(samples), ListSink(), voice_sink=voice)

    def heard_last(count: int) -> bool:
        return len(voice.blocks) > count and all(np.abs(block).max() > 0.1 for _, block in voice.blocks[-count:])

    try:
        daemon.begin()
        until(lambda: heard_last(20))
        daemon.hear_from(FakeMonitor(samples))
        until(lambda: daemon.source.state == "live" and not any(b.any() for _, b in voice.blocks[-50:]))
        daemon.hear_from(FileSource(samples))
        until(lambda: heard_last(20))
    finally:
        daemon.end()


def test_rate_and_size_change_while_it_is_on_air(monkeypatch: pytest.MonkeyPatch):
    """That the camera keeps the new rate is asked in made-up time (`test_showing`)."""

    class Noting(ListSink):
        def open(self, width: int, height: int, fps: float) -> None:
            self.opened = (width, height, fps)

    camera = Noting()
    with on_air(camera=camera) as daemon:
        until(lambda: daemon.camera.sent > 5)
        daemon.reframe(Settings(fps=10, size=(64, 48)), camera)
        assert camera.opened == (64, 48, 10)
        assert daemon.snapshot().shape == (48, 64, 3)
        due, sent, began_s = noted(daemon, monkeypatch), daemon.camera.sent, time.monotonic()
        until(lambda: len(due) > 3 and daemon.camera.sent >= sent + 10)
        assert time.monotonic() - began_s > 0.6, "nine periods, of which it may make up for less than two"
        assert set(np.diff([one.landmarks.frame for one in due])) == {6}, "at 10 fps every sixth motion frame is due"
        assert report(daemon, "").camera.fps == 10
        other = ListSink()
        daemon.reframe(daemon.settings, other)
        until(lambda: len(other.frames) > 3)
        assert report(daemon, "").camera.name == other.describe()


def test_a_camera_that_does_not_take_it_goes_on_as_before():
    class Stubborn(ListSink):
        def open(self, width: int, height: int, fps: float) -> None:
            if width != 32:
                raise DeviceError("Another program reads it in another size.")
            super().open(width, height, fps)

    camera = Stubborn()
    with on_air(camera=camera) as daemon:
        with pytest.raises(DeviceError, match="another size"):
            daemon.reframe(Settings(fps=15, size=(64, 64)), camera)
        sent = len(camera.frames)
        until(lambda: len(camera.frames) > sent + 5)
        assert (daemon.settings.fps, daemon.size) == (FPS, (32, 32))


def test_each_subject_is_shown_as_it_was_liked(tmp_path: Any):
    calm, path = Manner(mouth=0.5), tmp_path / "likings.json"
    for _ in range(2):
        with on_air(camera=ListSink(), memory=Memory(path)) as daemon:
            daemon.behave(calm)
            daemon.steer(Steering("fixed", yaw_deg=9))
            daemon.switch("bert")
            until(lambda daemon=daemon: daemon.subject == "bert")
            assert daemon.listener.manner == Manner()
            daemon.steer(Steering())
            daemon.switch("anna")
            assert daemon.listener.manner == calm
            until(lambda daemon=daemon: yaw_of(daemon.snapshot()) == 9)
    with on_air(camera=ListSink(), memory=Memory(path)) as daemon:
        until(lambda: yaw_of(daemon.snapshot()) == 9)
        daemon.reset()
        until(lambda: yaw_of(daemon.snapshot()) == 0)
    assert Memory(path).of("anna").manner == Manner()

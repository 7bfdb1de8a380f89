"""The daemon as a process: started, found, refused a second time, crashed, interrupted, stopped."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from lsp_cam.daemon import launch
from lsp_cam.daemon.client import absence, connect
from lsp_cam.daemon.runtime import Runtime

from .conftest import ENTRY, SHOWN, Cam, alive, end


def test_from_start_to_stop(cam: Cam):
    said = cam.start()
    assert "On air: fixture" in said
    assert "Panel: http://127.0.0.1:" in said
    told = json.loads(cam.run("status", "--json").stdout)
    pid = told["pid"]
    assert (told["state"], told["subject"], told["engine"]) == ("running", "fixture", "onnxruntime")
    assert alive(pid)
    assert "torch" not in Path(f"/proc/{pid}/maps").read_text(), "the runtime needs no torch"
    assert os.getsid(pid) == pid, "it does not end with the terminal"

    again = cam.run("start", *SHOWN)
    assert again.returncode == 1
    assert f"process {pid}" in again.stderr
    assert "'fixture'" in again.stderr
    assert "since " in again.stderr

    done = cam.run("stop")
    assert (done.returncode, done.stdout.strip()) == (0, "Stopped.")
    assert not alive(pid)
    assert cam.is_clean()
    assert json.loads(cam.run("status", "--json").stdout) == {"state": "stopped", "message": "lsp-cam is not running."}
    assert cam.run("stop").returncode == 0


def test_what_holds_the_token_is_for_the_user_only(cam: Cam):
    cam.start()
    assert stat.S_IMODE(cam.runtime.stat().st_mode) == 0o700
    assert stat.S_IMODE((cam.runtime / "daemon.json").stat().st_mode) == 0o600
    token = json.loads((cam.runtime / "daemon.json").read_text())["token"]
    assert len(token) > 40
    for log in (cam.home / "state/log").iterdir():
        assert token not in log.read_text()
    assert token not in Path(f"/proc/{cam.record['pid']}/cmdline").read_text()
    assert token not in json.dumps(cam.status())


def test_a_folder_that_others_may_open_is_closed_to_them(cam: Cam):
    cam.runtime.mkdir(mode=0o777)
    cam.runtime.chmod(0o777)
    cam.run("status")
    assert stat.S_IMODE(cam.runtime.stat().st_mode) == 0o700


def test_commands_reach_it(cam: Cam, tmp_path: Path):
    cam.start("--camera", "preview")
    assert "Muted" in cam.run("mute").stdout
    assert cam.run("pose", "--yaw", "10", "--mirror").returncode == 0
    told = cam.status()
    assert told["muted"] is True
    assert (told["steering"]["mode"], told["steering"]["yaw_deg"], told["steering"]["mirror"]) == ("fixed", 10, True)
    assert told["camera"]["state"] == "none"
    (tmp_path / "track.csv").write_text("yaw,pitch,roll,x,y,z\n1,2,3,0,0,0\n2,3,4,0,0,0\n")
    assert cam.run("pose", "--track", str(tmp_path / "track.csv")).returncode == 0
    assert cam.status()["steering"]["track_rows"] == 2
    assert cam.run("pose", "--auto").returncode == 0
    assert cam.run("pose", "--yaw", "500").returncode != 0
    assert cam.run("pose", "--auto", "--yaw", "5").returncode == 2

    for name in ("snap.png", "snap.jpg"):
        assert cam.run("snapshot", str(tmp_path / name)).returncode == 0
        with av.open(str(tmp_path / name)) as picture:
            assert next(picture.decode(video=0)).width == 512
    assert cam.run("snapshot", str(tmp_path / "snap.txt")).returncode == 2
    assert cam.run("snapshot", str(tmp_path / "nowhere" / "snap.png")).returncode == 2
    assert sorted(p.name for p in tmp_path.glob("*snap*")) == ["snap.jpg", "snap.png"]

    assert cam.run("switch", "double").stdout.strip() == "Now showing double."
    assert cam.status()["subject"] == "double"
    wrong = cam.run("switch", "nobody")
    assert wrong.returncode == 1
    assert "nobody" in wrong.stderr
    for_scripts = json.loads(cam.run("panel", "--json").stdout)
    assert for_scripts["url"] + "/?token=" + for_scripts["token"] == cam.run("panel").stdout.strip()
    text = cam.run("status").stdout
    assert "running for" in text
    assert "look-ahead" in text


def test_commands_do_what_the_panel_does(cam: Cam):
    cam.start("--camera", "preview")
    assert cam.run("set", "--mouth", "1.5", "--blinks", "0", "--fps", "10", "--size", "256", "--mirror").returncode == 0
    told = cam.status()
    assert (told["manner"]["mouth"], told["manner"]["blinks"], told["manner"]["shoulders"]) == (1.5, 0, 1)
    assert (told["camera"]["fps"], told["camera"]["width"], told["camera"]["mirror"]) == (10, 256, True)
    assert "Paused" in cam.run("pause").stdout
    assert cam.run("pose", "--hold").stdout.strip() == "The head is held where it is."
    told = cam.status()
    assert (told["paused"], told["steering"]["mode"]) == (True, "hold")
    assert cam.run("set", "--mic", "sample").returncode == 0
    assert json.loads(cam.run("hear", "--seconds", "1", "--json").stdout)["advice"]
    assert cam.run("set").returncode == 2
    wrong = cam.run("set", "--mic", "/etc/passwd")
    assert (wrong.returncode, "icrophone" in wrong.stderr) == (1, True)
    cam.run("stop")
    cam.start("--camera", "preview")
    assert cam.status()["manner"]["mouth"] == 1.5, "it is remembered"
    assert cam.run("set", "--reset").returncode == 0
    assert cam.status()["manner"]["mouth"] == 1


@pytest.mark.parametrize("words", [["switch", "x"], ["pose", "--auto"], ["snapshot", "x.png"], ["preview"]])
def test_without_a_daemon_commands_say_how_to_start_it(cam: Cam, words: list[str]):
    done = cam.run(*words)
    assert done.returncode == 1
    assert "not running" in done.stderr
    assert "lsp-cam start" in done.stderr


def test_a_crash_leaves_no_lock_and_is_told_of(cam: Cam):
    cam.start()
    pid = cam.record["pid"]
    before = time.time()
    os.kill(pid, signal.SIGKILL)
    while alive(pid):
        time.sleep(0.02)
    done = cam.run("status", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"]) == (3, "crashed")
    assert f"process {pid}" in told["message"]
    assert "daemon.log" in told["message"]
    when = time.mktime(time.strptime(told["message"].split(" at about ")[1][:19], "%Y-%m-%d %H:%M:%S"))
    assert abs(when - before) < 10
    done = cam.run("mute")
    assert (done.returncode, "crashed" in done.stderr) == (1, True)
    cam.start()
    assert cam.status()["state"] == "running"


def test_stale_files_of_a_process_that_is_somebody_else_now_do_not_matter(cam: Cam):
    cam.runtime.mkdir(mode=0o700)
    (cam.runtime / "daemon.lock").touch()
    contact = {"pid": os.getpid(), "port": 9, "token": "old"}
    (cam.runtime / "daemon.json").write_text(json.dumps(contact))
    record = {"pid": os.getpid(), "started_s": time.time(), "state": "running", "subject": "old"}
    (cam.runtime / "last.json").write_text(json.dumps(record))
    assert json.loads(cam.run("status", "--json").stdout)["state"] == "crashed"
    assert "not running" in cam.run("stop").stdout
    cam.start()
    assert cam.status()["pid"] != os.getpid()


@pytest.mark.parametrize("content", ["{", '{"pid": "x"}'])
def test_damaged_files_do_not_matter(cam: Cam, content: str):
    cam.runtime.mkdir(mode=0o700)
    for name in ("daemon.json", "last.json"):
        (cam.runtime / name).write_text(content)
    done = cam.run("status", "--json")
    assert json.loads(done.stdout)["state"] == "stopped"
    assert cam.run("stop").returncode == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--mic", "no such microphone"], "icrophone"),
        (["--mic", "missing.wav"], "no file"),
        (["--camera", "no such camera"], "camera"),
        (["--camera", "/nowhere/film.mp4"], "/nowhere"),
        (["--subject", "may"], "not installed"),
        (["--subject", "../fixture"], "no name"),
        (["--engine", "steam"], "engine"),
        (["--size", "7x7"], "size"),
        (["--fps", "100"], "fps"),
    ],
)
def test_what_is_not_there_is_an_error_and_no_daemon_stays(cam: Cam, words: list[str], reason: str):
    done = cam.run("start", *SHOWN, "--camera", "none", *words)
    assert done.returncode in (1, 2)
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert cam.is_clean()


@pytest.mark.parametrize("where", [[], ["--foreground"]])
def test_a_port_in_use(cam: Cam, where: list[str]):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = cam.run("start", *SHOWN, "--camera", "none", "--port", str(port), *where)
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr
    assert cam.is_clean()


def test_a_chosen_port(cam: Cam):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert f"http://127.0.0.1:{port}/" in cam.start("--camera", "none", "--port", str(port))


def test_auto_says_loudly_what_is_missing(cam: Cam):
    environ = {**cam.environ, "PULSE_SERVER": "unix:/nowhere", "HOME": str(cam.home)}
    done = Cam(cam.home, environ).run("start", "--subject", "fixture", "--fps", "5")
    assert done.returncode == 0, done.stderr
    assert "No microphone: a sample of speech plays instead" in done.stdout
    if not Path("/dev/video0").exists():
        assert "No virtual camera: the portrait shows on the preview page only" in done.stdout
        assert "modprobe v4l2loopback" in done.stdout
    assert cam.status()["microphone"]["state"] == "live"


@pytest.mark.parametrize(
    ("where", "number", "after_s"),
    [
        (["--foreground"], signal.SIGTERM, 0.7),
        (["--foreground"], signal.SIGTERM, 2.0),
        (["--foreground"], signal.SIGINT, 1.3),
        (["--foreground"], signal.SIGINT, 3.5),
        ([], signal.SIGINT, 1.0),
        ([], signal.SIGINT, 2.2),
        ([], signal.SIGTERM, 1.6),
    ],
)
def test_a_signal_at_any_moment_of_the_start_leaves_nothing(
    cam: Cam, tmp_path: Path, number: signal.Signals, after_s: float, where: list[str]
):
    film = tmp_path / "film.mp4"
    process = cam.begin("start", *SHOWN, "--camera", str(film), *where)
    time.sleep(after_s)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    if "It runs in the background" in said:
        # The command had done its work already, and said so; the daemon it left is another process.
        assert cam.run("stop").returncode == 0
    assert "Traceback" not in said or "in run" not in said, "only Python itself may, before our first line"
    assert cam.is_clean()
    if (cam.runtime / "last.json").exists():
        assert not alive(cam.record["pid"])
        assert cam.record["state"] == "stopped"
    assert not film.exists() or plays(film)[0] > 0


def test_sigterm_ends_a_recording_that_plays(cam: Cam, tmp_path: Path):
    film = tmp_path / "film.mp4"
    cam.start("--camera", str(film))
    time.sleep(4)
    pid = cam.record["pid"]
    os.kill(pid, signal.SIGTERM)
    while alive(pid):
        time.sleep(0.02)
    assert cam.record["state"] == "stopped"
    assert cam.is_clean()
    frames, samples = plays(film)
    assert frames >= 15
    assert samples.size / 16_000 == pytest.approx(frames / 5, abs=0.8)
    assert np.abs(samples).max() > 0.05
    assert [p.name for p in tmp_path.glob("film*")] == ["film.mp4"]


def test_a_file_played_once_ends_the_daemon(cam: Cam, tmp_path: Path):
    speech = tmp_path / "speech.npy"
    np.save(speech, np.sin(np.arange(16_000 * 2) / 10).astype(np.float32) / 2)
    film = tmp_path / "film.mkv"
    done = cam.run("start", *SHOWN, "--mic", str(speech), "--camera", str(film), "--once", "--foreground")
    assert done.returncode == 0, done.stderr
    frames, samples = plays(film)
    assert frames >= 10
    voiced = np.flatnonzero(np.abs(samples) > 0.2)
    assert (voiced[-1] - voiced[0]) / 16_000 == pytest.approx(2, abs=0.1), "all of the speech is in the film"
    assert voiced[0] / 16_000 > 0.3, "and sounds when its pictures show, later than it was heard"
    assert cam.is_clean()


def test_a_disk_that_fills_up_ends_a_recording_with_the_reason(cam: Cam, tmp_path: Path):
    words = ["start", *SHOWN, "--camera", str(tmp_path / "film.mp4"), "--foreground"]
    limited = ["bash", "-c", 'ulimit -f 40; exec "$@"', "-", *ENTRY, *words]
    done = subprocess.run(limited, env=cam.environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert cam.is_clean()
    assert "disk is full" in cam.run("status").stdout


def test_a_disk_without_room_neither_disturbs_the_picture_nor_makes_a_stop_a_failure(cam: Cam):
    cam.start()
    pid = cam.record["pid"]
    log = cam.home / "state/log/daemon.log"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))  # from now on it cannot write a byte
    logged, sent = log.read_bytes(), cam.status()["frames"]["sent"]
    with connect(Runtime(cam.runtime)) as client:
        client.post("/api/mute", {"on": True})
        client.post("/api/manner", {"mouth": 1.2})
    assert cam.status()["manner"]["mouth"] == 1.2, "it cannot be kept yet, but it is done"
    until(lambda: cam.status()["frames"]["sent"] > sent + 15)
    assert log.read_bytes() == logged, "there was no room indeed"
    likings = cam.home / "state/likings.json"
    assert not likings.exists()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    until(likings.exists)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
    done = cam.run("stop")
    assert (done.returncode, done.stdout.strip()) == (0, "Stopped.")
    assert not alive(pid)
    assert cam.is_clean()
    assert absence(Runtime(cam.runtime)) == "lsp-cam is not running.", "and did not crash"


def test_a_daemon_that_hangs_is_killed(cam: Cam):
    cam.start()
    pid = cam.record["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        waiting = cam.run("status")
        assert waiting.returncode == 1
        assert "does not answer" in waiting.stderr
        assert launch.stop(Runtime(cam.runtime), timeout_s=2) is True
        assert not alive(pid)
    finally:
        end(pid)


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.1)


def plays(film: Path) -> tuple[int, np.ndarray]:
    """How many pictures a film has, and its sound (16 kHz)."""
    with av.open(str(film)) as file:
        frames = sum(1 for _ in file.decode(video=0))
    with av.open(str(film)) as file:
        pieces = [f.to_ndarray()[0] for f in file.decode(audio=0)] if file.streams.audio else []
    return frames, np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

"""`render --batch` as a user runs it: by processes and by Ray, with workers killed, stopped and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from .conftest import ENTRY, recordings, run

OPTIONS = ("--subject", "sketch", "--fps", "2", "--no-credentials")
# One is longer than a segment (60 s), so that it is cut.
SECONDS = {"a": 8.0, "b": 65.0, "c": 6.0, "d": 5.0, "e": 4.0}
DEADLINE_S = 600

pytestmark = pytest.mark.timeout(1200)  # these start a cluster


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recordings(tmp_path_factory.mktemp("speech"), SECONDS)


@pytest.fixture(scope="module")
def alone(listing: Path, at_home: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The films as `lsp-cam render` makes them one by one."""
    folder = tmp_path_factory.mktemp("alone")
    films = {}
    for name in SECONDS:
        out = folder / f"{name}.mp4"
        made = run("render", listing.with_name(f"{name}.wav"), "-o", out, *OPTIONS, "--threads", "1")
        assert made.returncode == 0, made.stderr
        films[f"{name}.mp4"] = out.read_bytes()
    return films


def films_in(folder: Path) -> dict[str, bytes]:
    """All that a user sees in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def is_at_work(process: psutil.Process, cluster: str) -> bool:
    """Whether a descendant of ours is a worker with work."""
    try:
        line = " ".join(process.cmdline())
        if cluster == "local":
            return line.startswith(("ray::film", "ray::listen", "ray::draw"))
        return "spawn_main" in line and process.cpu_times().user > 1.0
    except psutil.Error:
        return False


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("cluster", ["local", "none"])
def test_a_killed_worker_costs_nothing(cluster: str, listing: Path, alone: dict[str, bytes], tmp_path: Path) -> None:
    command = [*ENTRY, "render", "--batch", str(listing), "-o", str(tmp_path / "films"), *OPTIONS]
    command += ["--cluster", cluster, "--workers", "2", "--plain-progress"]
    told = tmp_path / "told"
    with told.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as batch:
        try:
            ours = psutil.Process(batch.pid)
            working: list[psutil.Process] = []

            def found() -> bool:
                working[:] = [p for p in ours.children(recursive=True) if is_at_work(p, cluster)]
                return bool(working)

            wait_for(found, batch)
            working[0].kill()
            batch.wait(DEADLINE_S)
        finally:
            batch.kill()
    assert batch.returncode == 0, told.read_text()
    assert "a worker was lost" in told.read_text()
    assert "5 dubbed, 0 done before, 0 failed" in told.read_text()
    assert films_in(tmp_path / "films") == alone


@pytest.mark.parametrize("cluster", ["local", "none"])
def test_ctrl_c_leaves_nothing_half_written_and_the_rest_is_done_later(
    cluster: str, listing: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "films"
    arguments = ["render", "--batch", str(listing), "-o", str(out), *OPTIONS, "--cluster", cluster, "--workers", "1"]
    command, told = [*ENTRY, *arguments], tmp_path / "told"
    with told.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True) as batch:
        try:
            wait_for(lambda: out.is_dir() and bool(films_in(out)), batch)
            family = psutil.Process(batch.pid).children(recursive=True)
            os.killpg(batch.pid, signal.SIGINT)  # as a terminal does
            batch.wait(DEADLINE_S)
        finally:
            batch.kill()
    assert batch.returncode != 0
    assert "Traceback" not in told.read_text()
    assert psutil.wait_procs(family, timeout=60)[1] == []
    left = films_in(out)
    assert 1 <= len(left) < len(alone)
    assert left.items() <= alone.items()

    again = run(*arguments)
    assert again.returncode == 0, again.stderr
    assert f"{len(alone) - len(left)} dubbed, {len(left)} done before" in again.stdout
    assert films_in(out) == alone


def test_only_what_is_not_done_or_not_intact_is_made_again(tmp_path: Path) -> None:
    listing = recordings(tmp_path / "speech", {"a": 0.5, "b": 0.5, "c": 0.5})
    out = tmp_path / "films"
    arguments = ["render", "--batch", listing, "-o", out, *OPTIONS, "--cluster", "none", "--workers", "1"]
    assert "3 dubbed, 0 done before" in run(*arguments).stdout
    made = films_in(out)
    times = {name: (out / name).stat().st_mtime_ns for name in made}

    (out / "a.mp4").write_bytes(made["a.mp4"][:-1])
    (out / "b.mp4").unlink()
    assert "2 dubbed, 1 done before" in run(*arguments).stdout
    assert films_in(out) == made
    assert (out / "c.mp4").stat().st_mtime_ns == times["c.mp4"]

    recordings(tmp_path / "speech", {"a": 0.5, "b": 0.75, "c": 0.5})
    assert "1 dubbed, 2 done before" in run(*arguments).stdout
    assert {name for name, film in films_in(out).items() if film != made[name]} == {"b.mp4"}
    assert "3 dubbed, 0 done before" in run(*arguments, "--seed", "1").stdout


def test_one_bad_recording_does_not_stop_the_others(tmp_path: Path) -> None:
    listing = recordings(tmp_path / "speech", {"a": 0.5, "bad": 0.5, "short": 0.001, "b": 0.5})
    (tmp_path / "speech" / "bad.wav").write_text("no recording")
    made = run("render", "--batch", listing, "-o", tmp_path / "films", *OPTIONS, "--cluster", "none")
    assert made.returncode == 1
    assert "2 dubbed, 0 done before, 2 failed" in made.stdout
    assert "bad.mp4" in made.stderr
    assert "shorter than one picture" in made.stderr
    assert set(films_in(tmp_path / "films")) == {"a.mp4", "b.mp4"}


def test_films_of_a_batch_are_sealed(tmp_path: Path) -> None:
    listing = recordings(tmp_path / "speech", {"a": 0.5, "b": 0.5})
    sealed = [o for o in OPTIONS if o != "--no-credentials"]
    made = run("render", "--batch", listing, "-o", tmp_path / "films", *sealed, "--cluster", "none")
    assert made.returncode == 0, made.stderr
    for film in ("a.mp4", "b.mp4"):
        assert "content credentials" in run("inspect", tmp_path / "films" / film).stdout.lower()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["speech.wav", "--batch", "LIST"], "one recording, or --batch"),
        ([], "one recording, or --batch"),
        (["speech.wav", "--workers", "2"], "are for a --batch"),
        (["--batch", "LIST", "--workers", "0"], "1 to 4096"),
        (["--batch", "LIST", "--cluster", "127.0.0.1:1"], "no Ray cluster at 127.0.0.1:1"),
        (["--batch", "nowhere"], "nowhere"),
    ],
)
def test_bad_requests_leave_nothing(tmp_path: Path, arguments: list[str], said: str) -> None:
    listing = recordings(tmp_path / "speech", {"a": 0.5})
    asked = [str(listing) if a == "LIST" else a for a in arguments]
    made = run("render", *asked, "-o", tmp_path / "films", *OPTIONS)
    assert made.returncode not in (0, 70)
    assert said in " ".join(made.stderr.split())
    assert "Traceback" not in made.stderr
    assert not (tmp_path / "films").exists()

"""`render`, `trace` and `bench` as a user runs them, on an imported subject."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from ..devices.media import write_float_wav
from .conftest import Invoke

NAMES = {
    "audio", "mel", "apc", "knn", "lle_w", "projected", "mouth_delta", "head_raw", "head_pred", "mouth_pts",
    "headpose", "pts3d", "landmarks", "shoulders", "map_frames", "maps",
}  # fmt: skip
PROGRAM = Path(sys.executable).with_name("lsp-cam")


@pytest.fixture
def speech(tmp_path: Path, case_a: Any) -> Path:
    return write_float_wav(tmp_path / "speech.wav", case_a.expected["audio"][:8_000])


@pytest.fixture
def with_subject(home: Path, reference_bundle: Any) -> Path:
    subject = reference_bundle()
    shutil.copytree(subject.root, home / "subjects" / subject.name)
    return home


def pictures(path: Path) -> list[Any]:
    with av.open(str(path)) as video:
        return [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]


@pytest.mark.usefixtures("with_subject")
def test_render_makes_a_video_with_the_speech(invoke: Invoke, speech: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    result = invoke("render", speech, "--subject", "fixture", "-o", out, "--fps", "10")
    assert result.exit_code == 0, result.output
    frames = pictures(out)
    assert len(frames) == 5
    assert frames[0].shape == (512, 512, 3)
    with av.open(str(out)) as video:
        sound = np.concatenate([f.to_ndarray().ravel() for f in video.decode(audio=0)])
    assert np.abs(sound).max() > 0.01


@pytest.mark.usefixtures("with_subject")
def test_the_same_seed_gives_the_same_file(invoke: Invoke, speech: Path, tmp_path: Path) -> None:
    files = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        files[name] = tmp_path / f"{name}.mp4"
        assert (
            invoke("render", speech, "-o", files[name], "--fps", "5", "--seed", seed, "--no-credentials").exit_code == 0
        )
    assert files["a"].read_bytes() == files["b"].read_bytes()
    assert files["a"].read_bytes() != files["c"].read_bytes()


@pytest.mark.usefixtures("with_subject")
def test_a_pose_track_moves_the_head(invoke: Invoke, speech: Path, tmp_path: Path) -> None:
    rows = "\n".join(["yaw,pitch,roll,x,y,z"] + ["12,0,0,0,0,0"] * 30)
    (tmp_path / "track.csv").write_text(rows)
    plain, turned = tmp_path / "plain.mp4", tmp_path / "turned.mp4"
    invoke("render", speech, "-o", plain, "--fps", "5")
    assert invoke("render", speech, "-o", turned, "--fps", "5", "--pose-track", tmp_path / "track.csv").exit_code == 0
    assert np.abs(pictures(plain)[-1].astype(int) - pictures(turned)[-1]).mean() > 0.3  # else the files are the same


@pytest.mark.usefixtures("with_subject")
def test_trace_in_both_smoothings(invoke: Invoke, speech: Path, tmp_path: Path) -> None:
    for options, frames in ((["--smoothing", "published", "--sigma", "0"], 15), ([], 30)):
        out = tmp_path / "trace.npz"
        assert invoke("trace", speech, "--subject", "fixture", "-o", out, *options).exit_code == 0
        with np.load(out) as arrays:
            assert arrays["landmarks"].shape == (frames, 73, 2)
            assert set(arrays.files) >= NAMES


@pytest.mark.usefixtures("with_subject")
def test_bench_tells_what_each_stage_costs(invoke: Invoke) -> None:
    result = invoke("bench", "--subject", "fixture", "--seconds", "1", "--threads", "1", "--fps", "5", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.output)
    assert {"subject", "engine", "threads", "size", "fps", "stages"} <= set(figures)
    assert (figures["subject"], figures["threads"], figures["size"]) == ("fixture", 1, 512)
    assert figures["fps"] > 0
    assert {"mel", "speech", "manifold", "mouth", "pose", "voice", "render"} <= set(figures["stages"])
    assert figures["stages"]["pose"]["calls"] >= 60


@pytest.mark.usefixtures("with_subject")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--fps", "0"], "1 to 60"),
        (["--fps", "61"], "1 to 60"),
        (["--smoothing", "none"], "live or published"),
        (["--engine", "abacus"], "abacus"),
        (["--subject", "nobody"], "nobody"),
        (["--subject", "may"], "import-release"),
        (["--pose-track", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_requests_leave_nothing(
    invoke: Invoke, speech: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    result = invoke("render", speech, "-o", folder / "out.mp4", *options)
    assert result.exit_code != 0
    assert said in " ".join(result.output.split())
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("with_subject")
@pytest.mark.parametrize("name", ["missing.wav", "empty.wav", "text.wav"])
def test_audio_that_is_none(invoke: Invoke, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("not a recording")
    for command, out in (("render", "out.mp4"), ("trace", "out.npz")):
        result = invoke(command, tmp_path / name, "-o", tmp_path / "made" / out)
        assert result.exit_code == 1
        assert name in " ".join(result.output.split()).replace(" ", "")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_render_leaves_a_video_that_plays(
    with_subject: Path, case_a: Any, tmp_path: Path, number: int
) -> None:
    speech = write_float_wav(tmp_path / "long.wav", np.resize(case_a.expected["audio"], 16_000 * 60))
    out = tmp_path / "out.mp4"
    command = [PROGRAM, "render", speech, "--subject", "fixture", "-o", out, "--fps", "30"]
    environ = {**os.environ, "LSP_CAM_HOME": str(with_subject)}
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        told = interrupt(process, tmp_path / "out.mp4.part", number)
    assert process.returncode != 0
    assert "Traceback" not in told
    playable = out if out.exists() else tmp_path / "out.mp4.part"
    assert len(pictures(playable)) > 0
    assert not (out.exists() and (tmp_path / "out.mp4.part").exists())


def interrupt(process: subprocess.Popen[str], part: Path, number: int) -> str:
    """Send a signal a little after `part` was begun; gives what was printed on stderr."""
    deadline = time.monotonic() + 90
    while not part.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(3)
    process.send_signal(number)
    try:
        return process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise

"""`evaluate` on seconds of the synthetic footage and the shipped subject."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lsp_cam.devices.videofile import VideoFileSink
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate import ablations, renderers
from lsp_cam.train.evaluate.footage import part_of, read_truth
from lsp_cam.train.evaluate.run import Lesson
from lsp_cam.train.synthetic import read_tracked
from lsp_cam.train.tracked import Tracked, save_tracked

from .conftest import Invoke

ROOT = Path(__file__).resolve().parents[2]
SECONDS, FPS = 2.4, 30
FRAMES = np.zeros((1, 512, 512, 3), np.uint8)


@pytest.fixture
def with_demo(home: Path) -> Path:
    shutil.copytree(ROOT / "subjects" / "demo", home / "subjects" / "demo")
    return home


@pytest.fixture(scope="module")
def footage(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of the synthetic footage, with phones and tracked clip, in a folder of their own."""
    folder, source = tmp_path_factory.mktemp("held_out"), shared / "data/synthetic"
    with VideoFileSink(folder / "short.mp4", speech=read_audio(source / "audio.wav")) as sink:
        sink.open(512, 512, FPS)
        with av.open(str(source / "footage.mp4")) as video:
            for number, frame in enumerate(video.decode(video=0)):
                if number == SECONDS * FPS:
                    break
                sink.send(frame.to_ndarray(format="rgb24"))
    shutil.copy(source / "phones.json", folder / "short.phones.json")
    save_tracked(folder / "short.npz", part_of(read_tracked(source), 0, int(SECONDS * FPS)))
    return folder / "short.mp4"


@pytest.mark.usefixtures("with_demo")
def test_figures_and_page_of_a_short_clip(invoke: Invoke, footage: Path, tmp_path: Path) -> None:
    options = ("--tracked", footage.with_suffix(".npz"), "--start", "1.2", "--pictures", "3", "--seeds", "2", "--json")
    page = tmp_path / "page"
    result = invoke("evaluate", "demo", "--video", footage, *options, "--report", page)
    assert result.exit_code == 0, result.output
    figures: dict[str, Any] = json.loads(result.stdout)
    assert figures["schema"] == 1
    assert (figures["subject"], figures["seconds"], figures["fps"], figures["size"]) == ("demo", 1.2, 30.0, 512)
    assert set(figures) >= {"mouth", "head", "lips", "picture", "start_s", "trained_steps"}
    assert figures["mouth"]["frames"] == 72
    assert 0 < figures["mouth"]["error_mm"]["mean"] < 10
    assert [row["look_ahead_ms"] for row in figures["mouth"]["heard_less"]] == [0, 50, 100, 150, 200, 300]
    assert [row["name"] for row in figures["head"]] == ["demo", "without chance", "still head"]
    assert figures["head"][0]["d_rot_deg"]["deviation"] > 0
    assert figures["head"][2]["d_rot_deg"]["deviation"] == 0
    assert figures["lips"]["closures"] > 0
    assert figures["lips"]["tracked"]["closed_share"] == 1
    assert figures["picture"][0]["psnr_db"]["mean"] > 25  # it is the same person, in the same place
    assert figures["picture"][0]["lpips"] is None
    assert figures["picture"][0]["landmarks_px"]["mean"] < 10
    assert figures["tracking"] is None
    assert json.loads((page / "figures.json").read_text()) == figures
    check_page(page)


def check_page(page: Path) -> None:
    """Everything that the page names is beside it, and the film has three pictures and the sound."""
    assert {"index.html", "figures.json", "film.mp4", "error.jpg", "best.jpg"} <= {path.name for path in page.iterdir()}
    html = (page / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"#]+)"', html)
    assert named
    assert all((page / name).is_file() for name in named)
    with av.open(str(page / "film.mp4")) as film:
        assert (film.streams.video[0].width, film.streams.video[0].height) == (3 * 512, 512)
        assert len(film.streams.audio) == 1


@pytest.mark.usefixtures("with_demo")
def test_tables_for_people(invoke: Invoke, footage: Path) -> None:
    tracked = footage.with_suffix(".npz")
    options = ("--tracked", tracked, "--pictures", "1", "--seeds", "1", "--end", "1", "--against", "demo")
    result = invoke("evaluate", "demo", "--video", footage, *options)
    assert result.exit_code == 0, result.output
    assert "still head" in result.output
    assert "PSNR, dB" in result.output
    assert sum(line.startswith("demo") for line in result.output.splitlines()) == 5  # heading, and twice in each table


@pytest.mark.usefixtures("with_demo")
def test_renderers_trained_briefly_stand_in_the_table(
    invoke: Invoke, footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they are is `tests/train/evaluate/test_renderers.py`'s to say."""
    asked: list[int | None] = []

    def read_lesson(folder: Path, video: Path, start_s: float, size: int | None) -> Lesson:
        asked.append(size)
        return Lesson(np.zeros(16_000, np.float32), part_of(read_truth(footage.with_suffix(".npz")), 0, 30), FRAMES)

    def trained(subject: Subject, clip: Tracked, frames: Any, config: renderers.Config, *rest: Any) -> Any:
        assert (frames is FRAMES, config.steps) == (True, 3)
        yield "whole", subject

    monkeypatch.setattr("lsp_cam.train.evaluate.command.read_lesson", read_lesson)
    monkeypatch.setattr(renderers, "renderers", trained)
    for name in ("lessons_of", "sweep", "heads"):
        monkeypatch.setattr(ablations, name, lambda *given: ())
    options = ("--tracked", footage.with_suffix(".npz"), "--pictures", "1", "--seeds", "1", "--end", "1", "--json")
    result = invoke("evaluate", "demo", "--video", footage, *options, "--train-on", tmp_path, "--renderer-steps", "3")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert [row["name"] for row in figures["picture"]] == ["demo", "trained briefly: whole"]
    assert (figures["trained_renderer_steps"], asked) == (3, [512])


@pytest.mark.usefixtures("with_demo")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nobody"], "nobody"),
        (["demo", "--video", "missing.mp4"], "missing.mp4"),
        (["demo", "--start", "3", "--end", "2"], "not after"),
        (["demo", "--start", "1.5"], "less than 1 s"),
        (["demo", "--tracked", "text.npz"], "tracked clip"),
        (["demo", "--lpips", "."], "alexnet"),
        (["demo", "--train-on", "."], "no training footage"),
        (["demo", "--renderer-steps", "1"], "Give both"),
        (["demo", "--against", "nobody"], "nobody"),
        (["demo", "--report", "text.npz"], "cannot be written"),
    ],
)
def test_bad_requests(
    invoke: Invoke,
    footage: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.npz").write_text("not arrays")
    given = {"--video": str(footage), "--tracked": str(footage.with_suffix(".npz"))}
    rest = [part for key, value in given.items() if key not in options for part in (key, value)]
    result = invoke("evaluate", *options, *rest)
    assert result.exit_code in (1, 2)
    assert said in " ".join(result.output.split())


@pytest.mark.usefixtures("with_demo")
def test_a_video_without_a_face_and_a_file_that_is_none(invoke: Invoke, tmp_path: Path) -> None:
    with VideoFileSink(tmp_path / "wall.mp4", speech=np.zeros(32_000, np.float32)) as sink:
        sink.open(128, 128, 10)
        for _ in range(15):
            sink.send(np.full((128, 128, 3), 90, np.uint8))
    result = invoke("evaluate", "demo", "--video", tmp_path / "wall.mp4")
    assert result.exit_code == 2
    assert "No face is seen in wall.mp4" in result.output
    (tmp_path / "text.mp4").write_text("no video")
    result = invoke("evaluate", "demo", "--video", tmp_path / "text.mp4")
    assert result.exit_code == 2
    assert "cannot be opened as a video" in result.output


def test_without_the_train_extra(with_demo: Path, footage: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from lsp_cam.cli.entry import run; run()"
    command = [sys.executable, "-c", code, "evaluate", "demo", "--video", footage]
    environ = {**os.environ, "LSP_CAM_HOME": str(with_demo)}
    got = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert got.returncode == 1
    assert "needs torch" in got.stderr
    assert "[train]" in got.stderr

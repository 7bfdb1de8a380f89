"""The camera, for real: the daemon feeds a v4l2loopback device in a virtual machine, and programs there take it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ...conftest import ROOT
from . import machine

Picture = NDArray[np.float32]
STARTS = {"first": (1280, 720), "second": (640, 480)}
BLOCK_PX = 16

SAME_LEVELS = 2.0
"""How far a picture may be from the one that was sent, on average of 255: 4:2:0 colour and back."""
SAME_BLOCK_LEVELS = 4.0
"""The same for the mean of any block of `BLOCK_PX` by `BLOCK_PX` pixels: what moves is where it was."""

pytestmark = [
    pytest.mark.vm,
    pytest.mark.timeout(0),  # `machine.look` has its own limit
    pytest.mark.skipif(bool(machine.lacking()), reason=f"not installed: {', '.join(machine.lacking())}"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was seen in the machine; see `guest.py`."""
    folder = tmp_path_factory.mktemp("vm") / "guest"
    folder.mkdir()
    printed = machine.look(folder)
    print(printed)
    assert (folder / "finished").exists(), printed[-4000:]
    return folder


@pytest.mark.parametrize("start", STARTS)
def test_a_browser_lists_the_camera(folder: Path, start: str):
    assert json.loads((folder / start / "cameras.json").read_text()) == ["LSP Cam"]


@pytest.mark.parametrize("start", STARTS)
def test_a_browser_sees_the_face_that_was_sent_and_it_moves(folder: Path, start: str):
    seen, sent = seen_by_the_page(folder / start), sent_by_the_daemon(folder / start)
    assert {picture.shape for picture in seen + sent} == {(*STARTS[start][::-1], 3)}
    found = matches(seen, sent)
    assert len(found) >= 3, f"{len(seen)} were seen, {len(sent)} sent; of these the page saw {sorted(found)}"
    shown = [sent[at] for at in sorted(found)]
    assert max(block_distance(shown[0], other) for other in shown) > 2 * SAME_BLOCK_LEVELS, "it moves"
    assert distance(square(shown[0]), portrait()) < 20, "and it is the subject's face"


def test_a_second_program_reads_the_camera_while_the_browser_does(folder: Path):
    for start, (width, height) in STARTS.items():
        data = np.fromfile(folder / start / "read" / "pictures", np.uint8).reshape(-1, height * 3 // 2, width)
        data = data[1:]  # the first may be old
        read = [cv2.cvtColor(one, cv2.COLOR_YUV2RGB_I420).astype(np.float32) for one in data]
        assert matches(read, sent_by_the_daemon(folder / start)), start


def test_a_daemon_that_was_asked_to_stop_ends_well(folder: Path):
    assert [(folder / start / "status").read_text() for start in STARTS] == ["0", "0"]


def seen_by_the_page(folder: Path) -> list[Picture]:
    pictures = []
    for path in sorted((folder / "seen").iterdir()):
        width, height = map(int, path.name.partition("-")[2].split("x"))
        rgba = np.fromfile(path, np.uint8).reshape(height, width, 4)
        pictures.append(rgba[..., :3].astype(np.float32))
    return pictures


def sent_by_the_daemon(folder: Path) -> list[Picture]:
    paths = sorted((folder / "sent").glob("*.png"), key=lambda path: float(path.stem))
    return [decoded(path) for path in paths]


def decoded(path: Path) -> Picture:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert bgr is not None
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.float32)


def matches(taken: list[Picture], sent: list[Picture]) -> set[int]:
    """Which of `sent` are among `taken`, each of which counts for the nearest one only."""
    found = set()
    for picture in taken:
        nearest = min(range(len(sent)), key=lambda at: distance(picture, sent[at]))
        close = distance(picture, sent[nearest]) < SAME_LEVELS
        if close and block_distance(picture, sent[nearest]) < SAME_BLOCK_LEVELS:
            found.add(nearest)
    return found


def distance(one: Picture, other: Picture) -> float:
    return float(np.abs(one - other).mean())


def block_distance(one: Picture, other: Picture) -> float:
    """The largest difference of the means of a block, in levels of 255."""
    height, width = (side // BLOCK_PX for side in one.shape[:2])
    return float(np.abs(cv2.resize(one - other, (width, height), interpolation=cv2.INTER_AREA)).max())


def square(picture: Picture) -> Picture:
    """The portrait within a picture: what is not filled at its sides."""
    height, width = picture.shape[:2]
    left = (width - height) // 2
    return cv2.resize(picture[:, left : left + height], (512, 512), interpolation=cv2.INTER_AREA)


def portrait() -> Picture:
    return cv2.resize(decoded(ROOT / "subjects/demo/preview.jpg"), (512, 512), interpolation=cv2.INTER_AREA)

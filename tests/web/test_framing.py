"""Whether somebody is well in the picture: what is said of faces, and faces found by the training's own finder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from lsp_cam.web import framing
from lsp_cam.web.framing import Face, judge

from .asking import asking

WELL = Face(x=0.5, y=0.45, side=0.35)
Picture = NDArray[np.uint8]


@pytest.mark.parametrize(
    ("faces", "film_height", "said"),
    [
        ((), 720, "No face"),
        ((WELL, Face(x=0.8, y=0.4, side=0.2)), 720, "Two faces"),
        ((Face(x=0.5, y=0.45, side=0.15),), 720, "come nearer"),
        ((WELL,), 240, "come nearer"),
        ((Face(x=0.5, y=0.5, side=0.7),), 720, "too near"),
        ((Face(x=0.7, y=0.45, side=0.35),), 720, "middle"),
        ((Face(x=0.5, y=0.2, side=0.35),), 720, "hair"),
        ((Face(x=0.5, y=0.75, side=0.35),), 720, "chin"),
    ],
)
def test_what_is_wrong_is_told(faces: tuple[Face, ...], film_height: int, said: str) -> None:
    told = judge(faces, film_height)
    assert not told.is_good
    assert said in told.advice


def test_well_in_the_picture_even_with_somebody_far_behind() -> None:
    assert judge((WELL, Face(x=0.8, y=0.4, side=0.1)), 720).is_good


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with asking(tmp_path) as client:
        yield client


@pytest.fixture(scope="module")
def person(shared: Path) -> Picture:
    """The rendered person as a camera would see her: (180, 320, 3) RGB."""
    with av.open(str(shared / "data/synthetic/footage.mp4")) as film:
        frame = next(film.decode(video=0)).to_ndarray(format="rgb24")
    picture = np.full((180, 320, 3), 120, np.uint8)
    picture[:, 70:250] = cv2.resize(frame, (180, 180), interpolation=cv2.INTER_AREA)
    return picture


def look(client: httpx.Client, picture: Picture, **more: int) -> httpx.Response:
    height, width = picture.shape[:2]
    params = {"width": width, "height": height, **more}
    return client.post("/api/framing", params=params, content=picture.tobytes())


def test_a_face_is_seen_missed_and_misplaced(client: httpx.Client, person: Picture) -> None:
    told = look(client, person).json()
    assert (told["is_checked"], told["is_good"]) == (True, True), told["advice"]
    assert told["faces"][0]["x"] == pytest.approx(0.5, abs=0.05)
    assert "No face" in look(client, np.full_like(person, 120)).json()["advice"]
    aside = np.full_like(person, 120)
    aside[:, :180] = person[:, 70:250]
    assert "middle" in look(client, aside).json()["advice"]
    assert "nearer" in look(client, person, film_height=200).json()["advice"]


def test_what_is_no_picture_is_refused(client: httpx.Client, person: Picture) -> None:
    height, width = person.shape[:2]
    params = {"width": width, "height": height}
    assert client.post("/api/framing", params=params, content=b"short").status_code == 422
    assert client.post("/api/framing", params={"width": 5000, "height": 5000}, content=b"").status_code == 422
    assert client.post("/api/framing", params=params, content=bytes(400_000)).status_code == 413


def test_where_nobody_can_look_it_says_why(
    client: httpx.Client, person: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cannot = "import sys; print('error: Finding faces needs mediapipe. Run: …', file=sys.stderr); sys.exit(1)"
    monkeypatch.setattr(framing, "ENTRY", ("-c", cannot))
    told = look(client, person).json()
    assert told["is_checked"] is False
    assert told["advice"] == "Finding faces needs mediapipe. Run: …"

"""What a creation is refused for, and what is left where one is cancelled."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lsp_cam.web import jobs
from lsp_cam.web.creations import UNCLAIMED_S

from .asking import asking

AGREED = {"shows": "Ada", "statement": "I agree.", "agreed_by": "Ada", "how": "written"}
TRAINS = "import time; print('1/12 Looking through the video', flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture
def client(work: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(jobs, "ENTRY", ("-c", TRAINS))
    with asking(work) as client:
        yield client


def sent(client: httpx.Client) -> str:
    told = client.post("/api/recordings", params={"name": "talk.webm"}, content=b"a film").json()
    assert told["bytes"] == 6
    return str(told["id"])


def order(recording: str, **changes: Any) -> dict[str, Any]:
    return {"name": "ada", "recording": recording, "licence": "CC0", "consent": AGREED, "size": 256, **changes}


def test_a_film_that_nobody_makes_anything_of_is_deleted(client: httpx.Client, work: Path) -> None:
    old, new = sent(client), sent(client)
    film = next(work.rglob(f"{old}.*"))
    os.utime(film, (0, time.time() - 2 * UNCLAIMED_S))
    sent(client)
    assert not film.exists()
    assert list(work.rglob(f"{new}.*"))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"consent": {**AGREED, "agreed_by": " "}}, 422),
        ({"consent": {**AGREED, "how": "none"}}, 422),
        ({"consent": {**AGREED, "statement": ""}}, 422),
        ({"consent": None}, 422),
        ({"name": "anna"}, 422),
        ({"name": "../ada"}, 422),
        ({"recording": "0" * 16}, 404),
        ({"recording": "*"}, 422),
        ({"size": 300}, 422),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_begins(
    client: httpx.Client, work: Path, changes: dict[str, Any], status: int
) -> None:
    answer = client.post("/api/creations", json={**order(sent(client)), **changes})
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert not list(work.glob("panel/creations/*"))


def test_it_begins_stops_goes_on_and_is_forgotten(client: httpx.Client, work: Path) -> None:
    assert client.post("/api/creations", json=order(sent(client))).json()["state"] == "running"
    assert client.post("/api/creations", json=order(sent(client), name="eva")).status_code == 409, "one at a time"
    deadline_s = time.monotonic() + 60
    while client.get("/api/creations/ada").json()["step"] != "1/12 Looking through the video":
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert client.get("/api/creations/ada/picture").status_code == 404
    (making := work / "panel/creations/ada/work").mkdir()
    (making / "request.json").write_text('{"size": 256}')
    for pictures in ("frames.rgb", "kept.rgb"):
        (making / pictures).write_bytes(bytes(3 * 256 * 256))
        assert client.get("/api/creations/ada").json()["has_picture"]
        assert client.get("/api/creations/ada/picture").headers["content-type"] == "image/jpeg"
        (making / pictures).unlink()
    assert client.post("/api/creations/ada/delete").status_code == 409
    assert client.post("/api/creations/ada/cancel").json()["state"] == "cancelled"
    assert client.post("/api/creations", json=order(sent(client))).status_code == 422, "it has been begun"
    assert client.post("/api/creations/ada/resume").json()["state"] == "running"


def test_after_a_restart_it_waits_to_be_gone_on_with(client: httpx.Client, work: Path) -> None:
    assert [(job["id"], job["state"]) for job in client.get("/api/creations").json()] == [("ada", "cancelled")]
    assert client.post("/api/creations/ada/delete").status_code == 200
    assert client.get("/api/creations").json() == []
    assert not list(work.glob("panel/creations/*"))
    assert client.get("/api/creations/ada").status_code == 404
    assert client.post("/api/creations/..%2fada/delete").status_code in (400, 404)

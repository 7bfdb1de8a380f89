"""What is sent to be dubbed: refused at once where it cannot be, and nothing of it left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lsp_cam.web import guard

from .asking import asking


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def client(work: Path) -> Iterator[httpx.Client]:
    with asking(work) as client:
        yield client


def kept(work: Path) -> list[str]:
    return [file.name for file in (work / "panel").rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("speech.wav", b"RIFF, but no more", "speech"),
        ("speech.wav", b"", "empty"),
        ("speech.exe", b"MZ", "Send a recording"),
        ("../../speech", b"x", "Send a recording"),
        ("speech.npy", b"x", "Send a recording"),
    ],
)
def test_what_is_no_recording_is_refused_and_not_kept(
    client: httpx.Client, work: Path, name: str, body: bytes, said: str
) -> None:
    answer = client.post("/api/dubs", params={"name": name}, content=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]
    assert said in answer.json()["detail"] or answer.json()["kind"] == "AudioError"
    assert kept(work) == []
    assert client.get("/api/dubs").json() == []


def test_nobody_else_is_dubbed(client: httpx.Client) -> None:
    assert client.post("/api/dubs", params={"name": "a.wav", "subject": "nobody"}, content=b"x").status_code == 404


def test_a_dub_that_is_not_there_has_no_video(client: httpx.Client) -> None:
    for path in ("/api/dubs/x", "/api/dubs/x/video", "/api/dubs/..%2f..%2fx/video"):
        assert client.get(path).status_code == 404
    assert client.post("/api/dubs/x/cancel").status_code == 404


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_its_bound_is_cut_off(
    client: httpx.Client, work: Path, monkeypatch: pytest.MonkeyPatch, declared: bool
) -> None:
    monkeypatch.setitem(guard.MAX_UPLOAD_BYTES_OF, "/api/dubs", 100_000)
    body = b"x" * 300_000
    pieces = (body[i : i + 30_000] for i in range(0, len(body), 30_000))
    answer = client.post("/api/dubs", params={"name": "a.wav"}, content=body if declared else pieces)
    assert answer.status_code == 413
    assert kept(work) == []

"""The control interface over real HTTP, in front of a daemon whose subject has no networks."""

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.daemon.memory import Memory
from lsp_cam.daemon.status import Pulse, Status
from lsp_cam.devices.null import ListSink
from lsp_cam.packets import Manner
from lsp_cam.store import Store
from lsp_cam.web.app import create_app
from lsp_cam.web.page import KINDS, MAX_WATCHERS

from ..bundles import tiny_bundle, tiny_files
from .fakes import FakeLoader, shade_of, yaw_of
from .serving import serving
from .test_core import on_air, until

TOKEN = "token-of-this-run"


@pytest.fixture(scope="module")
def camera() -> ListSink:
    return ListSink()


@pytest.fixture(scope="module")
def daemon(camera: ListSink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("store")
    tiny_bundle(folder / "subjects", "anna")
    tiny_bundle(folder / "subjects", "bert", {k: v for k, v in tiny_files().items() if k != "preview.jpg"})
    (folder / "subjects" / "broken").mkdir()
    loader = FakeLoader(store=Store(folder, folder / "none"))
    with on_air(loader, camera=camera, memory=Memory(folder / "likings.json")) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def client(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    work = tmp_path_factory.mktemp("work")
    with serving(lambda port: create_app(daemon, TOKEN, port, work)) as port:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20, trust_env=False) as client:
            yield client
            daemon.stop.set()  # ends the streams, so that the server can


def test_status_tells_everything(client: httpx.Client, daemon: Daemon, monkeypatch: pytest.MonkeyPatch):
    until(lambda: client.get("/api/status").json()["latency"]["measured_p50_ms"])
    # Which rate it is, is asked in made-up time (`test_showing`).
    monkeypatch.setattr(daemon.camera.out, "per_second", lambda: 29.876)
    monkeypatch.setattr(daemon.camera.fresh, "per_second", lambda: 17.5)
    told = client.get("/api/status").json()
    status = Status.model_validate(told)
    assert status.state == "running"
    assert status.subject == "anna"
    assert (status.camera.fps_out, status.camera.fps_new) == (29.88, 17.5)
    assert status.frames.sent > 0
    assert {"p50", "p95", "p99"} == set(told["stages_ms"]["render"])
    assert status.latency.algorithmic_ms == 250
    assert status.latency.measured_p50_ms is not None
    assert status.microphone.state == "silent"


def test_changes_reach_the_daemon(client: httpx.Client, daemon: Daemon):
    assert client.post("/api/mute", json={"on": True}).json() == {"muted": True}
    assert client.get("/api/status").json()["muted"] is True
    assert client.post("/api/mute", json={"on": False}).status_code == 200
    assert client.post("/api/mirror", json={"on": True}).status_code == 200
    until(lambda: daemon.snapshot()[5, -5, 0] == 200)
    assert client.post("/api/mirror", json={"on": False}).status_code == 200
    assert client.post("/api/switch", json={"subject": "bert"}).json() == {"subject": "bert"}
    until(lambda: shade_of(daemon.snapshot()) == 100)
    assert client.post("/api/switch", json={"subject": "anna"}).status_code == 200


def test_the_head_is_steered(client: httpx.Client, daemon: Daemon):
    assert client.post("/api/pose", json={"mode": "fixed", "yaw_deg": 12}).status_code == 200
    until(lambda: yaw_of(daemon.snapshot()) == 12)
    assert client.get("/api/status").json()["steering"]["mode"] == "fixed"
    rows = [[20.0, 0, 0, 0, 0, 0]] * 5000  # more than other bodies may have
    assert client.post("/api/pose", json={"mode": "track", "track": rows}).status_code == 200
    until(lambda: daemon.listener.steering.mode == "track")
    assert client.get("/api/status").json()["steering"]["track_rows"] == 5000
    assert client.post("/api/pose", json={}).status_code == 200
    until(lambda: yaw_of(daemon.snapshot()) == 0)


def test_the_manner_changes_piece_by_piece_and_is_put_back(client: httpx.Client, daemon: Daemon):
    assert client.post("/api/manner", json={"mouth": 1.5}).json()["mouth"] == 1.5
    assert client.post("/api/manner", json={"blinks": 0}).json() == {
        "liveliness": 1, "mouth": 1.5, "shoulders": 1, "blinks": 0,
    }  # fmt: skip
    assert client.get("/api/status").json()["manner"]["blinks"] == 0
    assert daemon.listener.manner == Manner(mouth=1.5, blinks=0)
    assert client.post("/api/reset").json()["mode"] == "auto"
    assert daemon.listener.manner == Manner()


def test_the_pulse_tells_where_the_head_is(client: httpx.Client):
    assert client.post("/api/pose", json={"mode": "fixed", "pitch_deg": -4}).status_code == 200
    until(lambda: client.get("/api/pulse").json()["head"]["pitch_deg"] == -4)
    pulse = Pulse.model_validate(client.get("/api/pulse").json())
    assert pulse.steered_by == "fixed"
    assert pulse.delay_ms is not None
    assert pulse.delay_ms["look_ahead"] == 250
    assert client.post("/api/pose", json={"mode": "hold"}).json() == {"mode": "hold"}
    client.post("/api/reset")


def test_paused_and_live_again(client: httpx.Client, daemon: Daemon):
    assert client.post("/api/pause", json={"on": True}).json() == {"paused": True}
    assert client.get("/api/status").json()["paused"] is True
    assert client.post("/api/pause", json={"on": False}).json() == {"paused": False}
    assert not daemon.camera.paused


def test_rate_and_size_are_set(client: httpx.Client, daemon: Daemon, camera: ListSink):
    told = client.post("/api/camera", json={"fps": 25, "size": "128x64"}).json()
    assert (told["fps"], told["width"], told["height"]) == (25, 128, 64)
    told = client.post("/api/camera", json={"fps": 30, "size": "32x32"}).json()
    assert told["detail"].startswith("The size 32x32 is out of range")
    assert client.post("/api/camera", json={"fps": 30}).json()["height"] == 64
    daemon.reframe(Settings(fps=30, size=(32, 32)), camera)


def test_the_microphone_is_exchanged_and_checked(client: httpx.Client, daemon: Daemon):
    assert client.post("/api/microphone", json={"device": "sample"}).json()["name"] == "a sample of speech"
    until(lambda: client.get("/api/pulse").json()["level_dbfs"] > -60)
    told = client.post("/api/microphone/check", json={"seconds": 1}).json()
    assert told["verdict"] in ("good", "quiet", "noisy")
    assert told["advice"]


def test_no_file_can_be_named_as_a_device(client: httpx.Client, tmp_path: Any):
    speech = tmp_path / "speech.wav"
    speech.write_bytes(b"RIFF")
    for name in (str(speech), "speech.wav", "/etc/passwd"):
        assert client.post("/api/microphone", json={"device": name}).status_code == 400
        assert client.post("/api/camera", json={"camera": name}).status_code == 400
    assert client.post("/api/camera", json={"camera": str(tmp_path / "out.mp4")}).status_code == 400
    assert [file.name for file in tmp_path.iterdir()] == ["speech.wav"]
    assert client.get("/api/status").json()["camera"]["name"] == "a list"


def test_devices_are_listed_or_said_to_be_missing(client: httpx.Client):
    told = client.get("/api/devices").json()
    assert {d["kind"] for d in told["devices"]} | {lack["kind"] for lack in told["missing"]} == {"microphone", "camera"}


def test_the_gallery_lists_everybody_and_has_pictures(client: httpx.Client):
    found = {one["name"]: one for one in client.get("/api/subjects").json()}
    assert set(found) == {"anna", "bert", "broken"}
    assert (found["anna"]["on_air"], found["bert"]["on_air"]) == (True, False)
    assert (found["anna"]["has_picture"], found["bert"]["has_picture"]) == (True, False)
    assert found["anna"]["has_consent"] is True
    assert found["broken"]["problem"]
    picture = client.get("/api/subjects/anna/picture")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.content == tiny_files()["preview.jpg"]
    for name, status in (("bert", 400), ("broken", 400), ("nobody", 404), ("..%2f..", 404), ("%2e%2e", 400)):
        assert client.get(f"/api/subjects/{name}/picture").status_code == status, name


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/manner", {"mouth": 4}, 422),
        ("/api/manner", {"nose": 1}, 422),
        ("/api/camera", {"fps": 0}, 422),
        ("/api/camera", {"fps": 61}, 422),
        ("/api/camera", {"size": "big"}, 422),
        ("/api/camera", {"size": "641x480"}, 422),
        ("/api/microphone", {}, 422),
        ("/api/microphone/check", {"seconds": 1000}, 422),
        ("/api/switch", {"subject": "nobody"}, 404),
        ("/api/switch", {"subject": "broken"}, 400),
        ("/api/switch", {"subject": ""}, 422),
        ("/api/switch", {"subject": 7}, 422),
        ("/api/switch", {}, 422),
        ("/api/pose", {"mode": "fixed", "yaw_deg": 1000}, 422),
        ("/api/pose", {"mode": "upside-down"}, 422),
        ("/api/pose", {"mode": "track"}, 422),
        ("/api/pose", {"mode": "track", "track": [[1, 2]]}, 422),
        ("/api/mute", {"on": "perhaps"}, 422),
        ("/api/mute", {"on": True, "more": 1}, 422),
        ("/api/nothing", {}, 404),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(client: httpx.Client, path: str, body: dict[str, Any], status: int):
    answer = client.post(path, json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]
    assert client.get("/api/status").json()["subject"] == "anna"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"null", b"[" * 5000, b'{"on": NaN}'])
def test_bodies_that_are_no_json_are_refused(client: httpx.Client, body: bytes):
    answer = client.post("/api/mute", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(client: httpx.Client, number: str):
    body = f'{{"mode": "fixed", "yaw_deg": {number}}}'.encode()
    assert client.post("/api/pose", content=body, headers={"Content-Type": "application/json"}).status_code == 422


def test_no_get_changes_anything(client: httpx.Client, daemon: Daemon):
    for path in ("stop", "switch", "pose", "mute", "mirror", "pause", "manner", "reset", "microphone", "camera"):
        for method in ("GET", "HEAD"):
            assert client.request(method, f"/api/{path}").status_code in (404, 405)
    assert not daemon.stop.is_set()


def test_snapshot_is_what_the_camera_shows(client: httpx.Client, camera: ListSink):
    answer = client.get("/api/snapshot")
    assert answer.headers["content-type"] == "image/png"
    decoded = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    picture = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    assert any(np.array_equal(picture, frame) for frame in camera.frames[-200:])


def test_the_stream_gives_pictures_while_somebody_takes_them(client: httpx.Client, daemon: Daemon):
    with client.stream("GET", "/live") as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        data = b""
        for piece in answer.iter_bytes():
            data += piece
            if data.count(b"--frame\r\n") > 5:
                break
        assert daemon.preview.watchers == 1
    parts = data.split(b"--frame\r\n")[1:-1]
    for part in parts:
        head, _, jpeg = part.partition(b"\r\n\r\n")
        assert b"image/jpeg" in head
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (32, 32, 3)
    until(lambda: daemon.preview.watchers == 0)


def test_only_so_many_may_watch(client: httpx.Client, daemon: Daemon):
    with contextlib.ExitStack() as stack:
        for _ in range(MAX_WATCHERS):
            stack.enter_context(client.stream("GET", "/live"))
        until(lambda: daemon.preview.watchers == MAX_WATCHERS)
        assert client.get("/live").status_code == 503
        assert client.get("/api/status").status_code == 200, "the others are still served"
    until(lambda: daemon.preview.watchers == 0)


def test_a_watcher_that_does_not_read_holds_nobody_up(client: httpx.Client, daemon: Daemon):
    with client.stream("GET", "/live"):
        until(lambda: daemon.preview.watchers == 1)
        sent, threads = daemon.camera.sent, threading.active_count()
        until(lambda: daemon.camera.sent > sent + 30)
        assert client.get("/api/status").status_code == 200
        assert threading.active_count() <= threads + 2


def test_the_page_is_whole_and_contacts_no_foreign_host(client: httpx.Client):
    files = ["/", *re.findall(r'(?:src|href)="(/[^"]+)"', client.get("/").text)]
    modules = re.findall(r'from "\./([^"]+)"', "".join(client.get(f).text for f in ("/main.js", "/sound.js")))
    files += [f"/{name}" for name in modules]
    assert len(files) > 8
    for path in files:
        kind = KINDS["html" if path == "/" else path.rpartition(".")[2]]
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "//" not in answer.text.replace("// ", "").replace("http://www.w3.org/2000/svg", "")
    for path in ("/../app.py", "/%2e%2e/app.py", "/static/index.html", "/etc/passwd", "/favicon.ico"):
        assert client.get(path).status_code == 404


def test_the_interface_is_described(client: httpx.Client):
    told = client.get("/api/openapi.json").json()
    assert {"/api/status", "/api/stop", "/api/switch", "/api/pose", "/api/mute", "/api/snapshot"} <= set(told["paths"])
    for path, methods in told["paths"].items():
        for method in methods.values():
            assert method["summary"] or method["description"], path

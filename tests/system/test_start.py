"""The main job, for real: speech into a microphone, a portrait that speaks on the preview page in Chromium."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, sync_playwright

from lsp_cam.assets import sample_speech
from lsp_cam.backends.choose import open_engine
from lsp_cam.daemon.runtime import Contact
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ
from lsp_cam.pipeline import Pipeline
from lsp_cam.subject import Subject

from .. import needs
from ..sketch import sketch_of
from .pulse import PulseServer, pulse_server

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
SECONDS = 10
SHOTS = 8
PAUSE_S = 0.25

pytestmark = [pytest.mark.system, needs.pulse_audio, needs.chromium]

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def subject(reference_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return sketch_of(reference_bundle(), tmp_path_factory.mktemp("bundles") / "sketch")


@pytest.fixture(scope="module")
def mouth(subject: Subject) -> tuple[slice, slice]:
    """Where the mouth is in the picture: rows and columns."""
    lips = Pipeline(subject, open_engine()).idle().points[46:64]
    (left, top), (right, bottom) = lips.min(axis=0).astype(int) - 10, lips.max(axis=0).astype(int) + 25
    return slice(top, bottom), slice(left, right)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    samples = read_audio(sample_speech())[: SECONDS * SAMPLE_RATE_HZ]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE_HZ, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with pulse_server() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=needs.CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def cam(pulse: PulseServer, subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A function that runs lsp-cam, whose microphone is the null sink's; the daemon is started with it."""
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(subject.root, home / "subjects" / subject.name)
    environ = {**pulse.environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")}

    def run(*words: str) -> str:
        done = subprocess.run([*ENTRY, *words], env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("start", "--subject", subject.name, "--mic", "test_mic", "--camera", "preview", "--fps", "15")
    try:
        run("pose", "--yaw", "0")  # held still, so that the mouth region shows the mouth's motion alone
        yield run
    finally:
        run("stop")


@pytest.fixture(scope="module")
def contact(cam: Any, tmp_path_factory: pytest.TempPathFactory) -> Contact:
    link = cam("panel").strip()
    port, _, token = link.removeprefix("http://127.0.0.1:").partition("/?token=")
    return Contact(pid=1, port=int(port), token=token)


@pytest.fixture
def page(browser: Browser, contact: Contact) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 560, "height": 700})
    page = context.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(contact.link)
    page.locator("#state[data-state=running]").wait_for(timeout=20_000)
    yield page
    context.close()
    assert not complaints
    assert hosts == {f"127.0.0.1:{contact.port}"}, "no foreign host is contacted"


def until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.1)


def shots(page: Page, count: int) -> list[Picture]:
    """Screenshots of the portrait."""
    taken = []
    for _ in range(count):
        data = page.locator("#live").screenshot()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        taken.append(np.asarray(cv2.resize(picture, (512, 512), interpolation=cv2.INTER_AREA), np.uint8))
        time.sleep(PAUSE_S)
    return taken


def differing(pictures: list[Picture], where: tuple[slice, slice] = (slice(None), slice(None))) -> int:
    """How many pictures are unlike all that came before them there."""
    seen: list[Picture] = []
    for picture in pictures:
        if not any(np.array_equal(picture[where], other[where]) for other in seen):
            seen.append(picture)
    return len(seen)


def test_the_portrait_speaks_with_the_microphone_and_is_still_in_silence(
    page: Page, cam: Any, pulse: PulseServer, speech: Path, mouth: tuple[slice, slice]
):
    time.sleep(2)
    before = shots(page, SHOTS)
    player = pulse.play(speech)
    during = []
    while player.poll() is None:
        during += shots(page, 1)
    time.sleep(3)
    after = shots(page, SHOTS)

    assert during[0].std() > 5, "it is a picture"
    assert differing(during) > len(during) / 2, "pictures differ while somebody speaks"
    assert differing(during, mouth) >= 4, "the mouth moves"
    assert differing(before) > 1, "eyes and brows go on in silence"
    assert differing(before, mouth) == 1, "the mouth is still in silence"
    assert differing(after, mouth) == 1, "and again when the speech is over"


def test_the_page_tells_what_goes_on(page: Page, cam: Any, pulse: PulseServer, speech: Path):
    player = pulse.play(speech)
    until(lambda: page.evaluate("document.getElementById('level').value") > -50)
    until(lambda: page.locator("#mic-name").text_content() == "test_mic")
    assert str(page.locator("#caption").text_content()).startswith("Showing sketch")
    page.get_by_role("button", name="Mute").click()
    page.locator("#state[data-state=muted]").wait_for(timeout=10_000)
    assert page.get_by_role("button", name="Mute").get_attribute("aria-pressed") == "true"
    assert '"muted": true' in cam("status", "--json")
    page.get_by_role("button", name="Mute").press("Enter")
    page.locator("#state[data-state=running]").wait_for(timeout=10_000)
    player.terminate()
    player.wait()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_the_page_fits_its_window(page: Page, scheme: Any, width: int):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    levels = [int(v) for v in paper.removeprefix("rgb(").removesuffix(")").split(",")]
    assert (sum(levels) > 600) == (scheme == "light")


def test_a_page_that_nobody_sees_takes_no_pictures(page: Page, cam: Any):
    def watchers() -> int:
        told: int = json.loads(cam("status", "--json"))["watchers"]
        return told

    assert watchers() == 1
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    until(lambda: watchers() == 0)


def test_a_page_of_another_site_sees_and_changes_nothing(browser: Browser, page: Page, contact: Contact, cam: Any):
    stranger = page.context.new_page()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Blank) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stranger.goto(f"http://127.0.0.1:{server.server_port}/")
        told = stranger.evaluate(
            """async (home) => {
              const post = { method: "POST", credentials: "include", mode: "no-cors", body: '{"on": true}' };
              await fetch(home + "/api/mute", post).catch(() => null);
              const read = await fetch(home + "/api/status", { credentials: "include" }).then(() => "read", () => "no");
              const image = await new Promise((end) => {
                const img = new Image();
                img.onload = () => end("seen");
                img.onerror = () => end("no");
                img.src = home + "/live";
              });
              return [read, image];
            }""",
            contact.base_url,
        )
        server.shutdown()
    stranger.close()
    assert told == ["no", "no"]
    assert '"muted": false' in cam("status", "--json")


class Blank(http.server.BaseHTTPRequestHandler):
    """Another site on this machine: an empty page."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def log_message(self, *words: Any) -> None:
        return

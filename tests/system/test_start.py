"""The main job, for real: speech into a microphone, a portrait that speaks on the preview page in Chromium."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
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

from ..sketch import sketch_of
from . import pulse as pulse_audio
from .pulse import PulseServer, pulse_server

CHROMIUM = "/usr/bin/chromium"
ENTRY = [sys.executable, "-c", "from lsp_cam.cli.main import run; run()"]
SECONDS = 6
SHOTS = 14
PAUSE_S = 0.2

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not pulse_audio.available(), reason="PulseAudio is not installed"),
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed"),
]

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
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
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
    link = cam("preview").strip()
    port, _, token = link.removeprefix("http://127.0.0.1:").partition("/?token=")
    return Contact(pid=1, port=int(port), token=token)


@pytest.fixture
def page(browser: Browser, contact: Contact) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    page.goto(contact.link)
    page.locator("#state[data-state=running]").wait_for(timeout=20_000)
    yield page
    page.close()
    assert not complaints
    assert hosts == {f"127.0.0.1:{contact.port}"}, "no foreign host is contacted"


def shots(page: Page, count: int = SHOTS) -> list[Picture]:
    """Screenshots of the portrait, scaled to the picture's own size."""
    taken = []
    for _ in range(count):
        data = page.locator("#live").screenshot()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        taken.append(np.asarray(cv2.resize(picture, (512, 512), interpolation=cv2.INTER_AREA), np.uint8))
        time.sleep(PAUSE_S)
    return taken


def motion(pictures: list[Picture], where: tuple[slice, slice] = (slice(None), slice(None))) -> list[float]:
    """Mean difference, in levels, between each picture and the next."""
    cut = [picture[where].astype(np.float32) for picture in pictures]
    return [float(np.abs(b - a).mean()) for a, b in itertools.pairwise(cut)]


def test_the_portrait_speaks_with_the_microphone_and_is_still_in_silence(
    page: Page, cam: Any, pulse: PulseServer, speech: Path, mouth: tuple[slice, slice]
):
    time.sleep(2)
    before = shots(page)
    player = pulse.play(speech)
    time.sleep(1.2)
    during = shots(page)
    player.wait(30)
    time.sleep(1.5)
    after = shots(page)
    for i, p in enumerate(before + during + after):
        cv2.imwrite(f"/tmp/shots/{i}.png", p)
    page.screenshot(path="/tmp/shots/page.png")
    print(cam("status"))
    print("mouth", *(np.round(motion(p, mouth), 2) for p in (before, during, after)), sep="\n")
    print("all", *(np.round(motion(p), 2) for p in (before, during, after)), sep="\n")

    assert during[0].std() > 5, "it is a picture"
    assert sum(m > 0.5 for m in motion(during)) >= SHOTS // 2, "pictures differ while somebody speaks"
    spoken = np.median(motion(during, mouth))
    for silent in (before, after):
        assert np.median(motion(silent, mouth)) < spoken / 3, "the mouth is still in silence"

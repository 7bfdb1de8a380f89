"""A subject begins in the panel: recorded by Chromium's fake camera, trained, stopped, gone on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.sync_api import Page, sync_playwright

from lsp_cam.assets import sample_speech

from ..sketch import sketch_of
from .panel import CHROMIUM, launch, opened, until

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
SECONDS = 24

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed"),
]


def film_for_chromium(shared: Path, folder: Path) -> Path:
    """The rendered person as the file that Chromium takes for a camera."""
    path = folder / "talk.mjpeg"
    with av.open(str(shared / "data/synthetic/footage.mp4")) as source, av.open(str(path), "w", "mjpeg") as out:
        stream = out.add_stream("mjpeg", 30, {"q": "4"})
        stream.width = stream.height = 512
        stream.pix_fmt = "yuvj420p"
        for count, frame in enumerate(source.decode(video=0)):
            if count == 10 * 25:
                break
            out.mux(stream.encode(frame.reformat(512, 512, "yuvj420p")))
        out.mux(stream.encode(None))
    return path


@pytest.fixture
def environ(reference_bundle: Any, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A daemon on air, in a home of its own."""
    home = tmp_path / "home"
    sketch_of(reference_bundle(), home / "subjects" / "sketch")
    environ = {**os.environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")}
    mic = ("--mic", str(sample_speech()), "--mic-out", "none")
    run(environ, "start", "--subject", "sketch", *mic, "--camera", "preview", "--fps", "2")
    yield environ
    run(environ, "stop")


def run(environ: dict[str, str], *words: str) -> str:
    done = subprocess.run([*ENTRY, *words], env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def page(environ: dict[str, str], shared: Path, tmp_path: Path) -> Iterator[Page]:
    options = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film_for_chromium(shared, tmp_path)}",
        f"--use-file-for-fake-audio-capture={shared / 'data/synthetic/audio.wav'}",
    )
    with sync_playwright() as playwright:
        browser = launch(playwright, *options)
        link = run(environ, "panel").strip()
        with opened(browser, link, 1000, 900, permissions=["camera", "microphone"]) as page:
            yield page
        browser.close()


@pytest.mark.timeout(900)
def test_a_recording_becomes_a_training_that_stops_and_goes_on(page: Page, environ: dict[str, str]):
    page.get_by_role("tab", name="New").click()
    page.get_by_role("button", name="Record now").click()
    page.get_by_text("Say nothing yet").wait_for(timeout=60_000)
    until(lambda: page.locator("#check-light").text_content() == "Light is good")
    until(lambda: page.locator("#check-face").text_content() == "You are well in the picture", 120)
    until(lambda: page.evaluate("document.getElementById('studio-share').value") > SECONDS, 120)
    assert "read" in str(page.locator("#studio-cue").text_content())
    page.get_by_role("button", name="Stop here").click()

    page.get_by_label("Name of the subject").fill("ada")
    page.get_by_role("textbox", name="Who is shown").fill("Nobody: a rendered person")
    page.get_by_label("The person shown has agreed").check()
    page.get_by_label("Size of its pictures").select_option("256")
    page.get_by_role("button", name="Make the subject").click()
    making = page.locator(".making")
    making.get_by_text("/12 ").wait_for(timeout=120_000)
    making.get_by_role("button", name="Stop for now").click()
    making.get_by_role("button", name="Go on").wait_for(timeout=60_000)
    making.get_by_role("button", name="Go on").click()
    until(lambda: making.get_attribute("data-state") == "running")
    making.get_by_role("img").wait_for(timeout=240_000)
    home = Path(environ["LSP_CAM_HOME"]) / "state/panel/creations/ada"
    consent = json.loads((home / "consent.json").read_text())
    assert (consent["agreed_by"], consent["how"]) == ("Nobody: a rendered person", "written")
    assert (home / "work/marks/inspect.json").exists(), "the film was good enough"
    making.get_by_role("button", name="Stop for now").click()
    making.get_by_role("button", name="Delete").wait_for(timeout=60_000)
    making.get_by_role("button", name="Delete").click()
    until(lambda: page.locator(".making").count() == 0)
    assert not home.exists(), "the film is gone"

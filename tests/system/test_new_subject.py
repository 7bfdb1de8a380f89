"""A subject made in the panel: recorded by a fake camera, trained, stopped, its daemon killed, gone on with, shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from lsp_cam.assets import sample_speech

from .. import needs
from ..sketch import sketch_of
from .panel import launch, opened, portrait, until

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
SECONDS = 24
PATIENCE_MS = 900_000

pytestmark = needs.chromium


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
    start(environ)
    yield environ
    run(environ, "stop")


def run(environ: dict[str, str], *words: str) -> str:
    done = subprocess.run([*ENTRY, *words], env=environ, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(environ: dict[str, str]) -> None:
    mic = ("--mic", str(sample_speech()), "--mic-out", "none")
    run(environ, "start", "--subject", "sketch", *mic, "--camera", "preview", "--fps", "2")


@pytest.fixture
def browser(shared: Path, tmp_path: Path) -> Iterator[Browser]:
    """A Chromium whose camera shows the rendered person."""
    options = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film_for_chromium(shared, tmp_path)}",
        f"--use-file-for-fake-audio-capture={shared / 'data/synthetic/audio.wav'}",
    )
    with sync_playwright() as playwright:
        browser = launch(playwright, *options)
        yield browser
        browser.close()


@contextmanager
def panel(browser: Browser, environ: dict[str, str]) -> Iterator[Page]:
    link = run(environ, "panel").strip()
    with opened(browser, link, 1000, 900, permissions=["camera", "microphone"]) as page:
        page.get_by_role("tab", name="New").click()
        yield page


def record(page: Page) -> None:
    page.get_by_role("button", name="Record now").click()
    page.get_by_text("Say nothing yet").wait_for(timeout=60_000)
    until(lambda: page.locator("#check-light").text_content() == "Light is good")
    until(lambda: page.locator("#check-face").text_content() == "You are well in the picture", 120)
    until(lambda: page.evaluate("document.getElementById('studio-share').value") > SECONDS, 120)
    assert "read" in str(page.locator("#studio-cue").text_content())
    page.get_by_role("button", name="Stop here").click()


def order(page: Page) -> None:
    page.get_by_label("Name of the subject").fill("ada")
    page.get_by_role("textbox", name="Who is shown").fill("Nobody: a rendered person")
    page.get_by_label("The person shown has agreed").check()
    page.get_by_label("Size of its pictures").select_option("256")
    page.get_by_label("How long to train").select_option("0.2")
    page.get_by_role("button", name="Make the subject").click()


def trainings(environ: dict[str, str]) -> list[psutil.Process]:
    """Processes that make a subject in this home."""
    work = f"{environ['LSP_CAM_HOME']}/state/panel/creations"
    alive = [p for p in psutil.process_iter(["cmdline", "status"]) if p.info["status"] != psutil.STATUS_ZOMBIE]
    return [p for p in alive if any(word.startswith(work) for word in p.info["cmdline"] or ())]


@pytest.mark.timeout(1800)
def test_a_recording_becomes_a_subject(browser: Browser, environ: dict[str, str]):
    home = Path(environ["LSP_CAM_HOME"]) / "state/panel/creations/ada"
    with panel(browser, environ) as page:
        record(page)
        order(page)
        making = page.locator(".making")
        making.get_by_text("/12 ").wait_for(timeout=PATIENCE_MS)
        making.get_by_role("button", name="Stop for now").click()
        making.get_by_role("button", name="Go on").wait_for(timeout=PATIENCE_MS)
        making.get_by_role("button", name="Go on").click()
        until(lambda: making.get_attribute("data-state") == "running")
        making.get_by_role("img").wait_for(timeout=PATIENCE_MS)
    consent = json.loads((home / "consent.json").read_text())
    assert (consent["agreed_by"], consent["how"]) == ("Nobody: a rendered person", "written")
    assert (home / "work/marks/inspect.json").exists(), "the film was good enough"

    assert trainings(environ)
    psutil.Process(json.loads(run(environ, "status", "--json"))["pid"]).kill()
    until(lambda: not trainings(environ))
    start(environ)

    with panel(browser, environ) as page:
        making = page.locator(".making")
        assert "It can be gone on with" in str(making.get_by_role("status").text_content())
        making.get_by_role("button", name="Go on").click()
        until(lambda: making.get_attribute("data-state") != "cancelled")
        until(lambda: making.get_attribute("data-state") != "running", PATIENCE_MS / 1000)
        assert "Made" in str(making.get_by_role("status").text_content()), making.text_content()
        until(lambda: not home.exists())  # and the film is gone
        making.get_by_role("button", name="Show it").click()
        until(lambda: "Showing ada" in str(page.locator("#caption").text_content()), 120)
        first = portrait(page)
        until(lambda: not np.array_equal(portrait(page), first), 120)
        page.get_by_role("tab", name="Subjects").click()
        card = page.locator("#gallery").get_by_role("button", name="ada")
        until(lambda: card.get_attribute("aria-pressed") == "true")
        until(lambda: card.locator("img").evaluate("image => image.naturalWidth > 0"))


def test_what_is_not_wanted_is_deleted_with_its_film(browser: Browser, environ: dict[str, str], shared: Path):
    with panel(browser, environ) as page:
        page.locator("#film").set_input_files(shared / "data/synthetic/footage.mp4")
        order(page)
        making = page.locator(".making")
        making.get_by_text("/12 ").wait_for(timeout=PATIENCE_MS)
        making.get_by_role("button", name="Stop for now").click()
        making.get_by_role("button", name="Delete").click(timeout=PATIENCE_MS)
        until(lambda: page.locator(".making").count() == 0)
    assert not list(Path(environ["LSP_CAM_HOME"]).glob("state/panel/creations/*"))

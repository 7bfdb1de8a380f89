"""The panel of a real daemon, and Chromium on it: pages that complain of nothing, and pictures of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from lsp_cam.assets import sample_speech
from lsp_cam.daemon.client import connect
from lsp_cam.daemon.runtime import Runtime
from lsp_cam.subject import Subject

from ..needs import CHROMIUM
from ..sketch import sketch_of

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
OPTIONS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Cam:
    """`lsp-cam` in a home of its own, on air."""

    environ: dict[str, str]

    def run(self, *words: str) -> str:
        done = subprocess.run([*ENTRY, *words], env=self.environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def status(self) -> dict[str, Any]:
        with connect(Runtime(Path(self.environ["LSP_CAM_RUNTIME"]))) as client:
            told: dict[str, Any] = client.get("/api/status")
        return told


@contextmanager
def cam_on_air(like: Subject, home: Path, environ: dict[str, str]) -> Iterator[Cam]:
    """Two subjects that are only drawn speak the sample; the panel alone shows them."""
    for name in ("sketch", "double"):
        sketch_of(like, home / "subjects" / name, name)
    cam = Cam({**environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")})
    mic = ("--mic", str(sample_speech()), "--mic-out", "none")
    cam.run("start", "--subject", "sketch", *mic, "--camera", "preview", "--fps", "15")
    yield cam
    cam.run("stop")
    shutil.rmtree(home / "subjects")


def launch(playwright: Playwright, *options: str) -> Browser:
    """Debian's Chromium, without a window."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*OPTIONS, *options])


@contextmanager
def opened(browser: Browser, link: str, width: int = 560, height: int = 700, **options: Any) -> Iterator[Page]:
    """The page at `link`; at its end nothing was complained of, and no other host was asked for anything."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    complaints: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: complaints.append(message.text) if _complains(message) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]) if "//" in request.url else None)
    page.goto(link)
    page.locator("#state[data-state=running]").wait_for(timeout=60_000)
    yield page
    context.close()
    assert not complaints
    assert hosts == {link.split("/")[2]}, "no foreign host is contacted"


@contextmanager
def panel_of(like: Subject, home: Path, width: int, height: int) -> Iterator[Page]:
    """The panel of a daemon that runs for nothing else."""
    with cam_on_air(like, home, {**os.environ}) as cam, sync_playwright() as playwright:
        browser = launch(playwright)
        with opened(browser, cam.run("panel").strip(), width, height) as page:
            yield page
        browser.close()


def _complains(message: ConsoleMessage) -> bool:
    """Whether the page has a fault; that a request was refused (400, 422) is for the page to tell."""
    refused = "status of 400" in message.text or "status of 422" in message.text
    return message.type == "error" and not refused


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until it holds."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not happen"
        time.sleep(0.1)


def portrait(page: Page) -> Picture:
    """A screenshot of the portrait."""
    data = page.locator("#live").screenshot(timeout=60_000)
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)

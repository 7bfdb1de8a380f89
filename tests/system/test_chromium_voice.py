"""Chromium takes "LSP Mic" as a meeting does, and hears each word when its picture leaves for the camera."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from lsp_cam.daemon.client import connect
from lsp_cam.daemon.runtime import Runtime

from .. import needs
from ..sketch import sketch_of
from .ears import WITHIN_S, BrowserEar, Ear, LipSync, babble
from .panel import OPTIONS, until
from .pulse import PulseServer, pulse_server

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
EMPTY = "<!doctype html><title>A meeting</title>"

pytestmark = [pytest.mark.system, needs.pulse_audio, needs.chromium]


@contextmanager
def on_air(pulse: PulseServer, home: Path, *words: str) -> Iterator[Runtime]:
    """lsp-cam hears the server's microphone and makes LSP Mic."""
    environ = {**pulse.environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")}

    def run(*words: str) -> None:
        done = subprocess.run([*ENTRY, *words], env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    run("start", "--mic", "test_mic", "--camera", "none", "--mic-out", "on", *words)
    try:
        yield Runtime(home / "run")
    finally:
        run("stop")


def status_of(runtime: Runtime) -> dict[str, Any]:
    """What the daemon tells."""
    with connect(runtime) as client:
        told: dict[str, Any] = client.get("/api/status")
    return told


@contextmanager
def meeting(pulse: PulseServer) -> Iterator[Page]:
    """A page in a Chromium whose sound is the server's."""
    with sync_playwright() as playwright:
        options = [*OPTIONS, "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=needs.CHROMIUM, args=options, env={**pulse.environ})
        page = browser.new_context(permissions=["microphone"]).new_page()
        page.route("**/*", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
        page.goto("http://localhost/")
        yield page
        browser.close()


@contextmanager
def measuring(pulse: PulseServer, page: Page, runtime: Runtime, seconds: float) -> Iterator[LipSync]:
    """Somebody babbles for so long."""

    def picture_delay_s() -> float:
        return float(status_of(runtime)["latency"]["measured_p50_ms"]) / 1000

    with tempfile.TemporaryDirectory() as folder:
        player = pulse.play(babble(Path(folder) / "babble.wav", seconds))
        browser = BrowserEar(page, "LSP Mic")
        assert browser.settings["label"] == "LSP Mic"
        spoken = Ear(pulse, "test_mic")
        spoken.start()
        try:
            yield LipSync(spoken, browser, picture_delay_s)
        finally:
            spoken.finish()
            player.terminate()
            player.wait()


def test_a_browser_hears_the_voice_with_its_picture(reference_bundle: Any, tmp_path: Path) -> None:
    sketch_of(reference_bundle(), tmp_path / "subjects" / "sketch")
    with (
        pulse_server() as pulse,
        on_air(pulse, tmp_path, "--subject", "sketch", "--fps", "30") as runtime,
        meeting(pulse) as page,
        measuring(pulse, page, runtime, 240) as measured,
    ):
        until(measured.holds, 180)
        windows = len(measured.at_s)

        def looked_on() -> bool:
            measured.look()
            return len(measured.at_s) >= windows + 5

        until(looked_on, 60)
        assert abs(measured.offset_s(5)) < WITHIN_S, "once in step it stays so: the next five windows"
    shutil.rmtree(tmp_path / "subjects")

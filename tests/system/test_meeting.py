"""A page like a meeting's takes the portrait for a camera and sends it through WebRTC.

Chromium's own fake camera stands in for the virtual one: it plays what the daemon wrote for its camera.
"""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from lsp_cam.assets import sample_speech
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ

from .. import needs
from ..devices.media import write_float_wav
from ..sketch import sketch_of
from .panel import launch, until

ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
FPS = 10

pytestmark = [pytest.mark.system, needs.chromium]


@pytest.fixture
def film(reference_bundle: Any, tmp_path: Path) -> Path:
    """What the daemon sends to its camera while somebody speaks for three seconds."""
    home = tmp_path / "home"
    sketch_of(reference_bundle(), home / "subjects" / "sketch")
    speech = write_float_wav(tmp_path / "speech.wav", read_audio(sample_speech())[: 3 * SAMPLE_RATE_HZ])
    environ = {**os.environ, "LSP_CAM_HOME": str(home), "LSP_CAM_RUNTIME": str(home / "run")}
    words = ("start", "--foreground", "--once", "--mic", str(speech), "--mic-out", "none", "--fps", str(FPS))
    film = tmp_path / "film.mp4"
    subprocess.run([*ENTRY, *words, "--camera", str(film)], env=environ, check=True, timeout=120, capture_output=True)
    return film


def as_camera(film: Path, file: Path) -> Path:
    """`film` as the file that Chromium's fake camera plays, over and over."""
    with av.open(str(film)) as source, av.open(str(file), "w", "mjpeg") as out:
        stream = out.add_stream("mjpeg", FPS, {"q": "3"})
        stream.width, stream.height, stream.pix_fmt = 512, 512, "yuvj420p"
        for frame in source.decode(video=0):
            out.mux(stream.encode(frame.reformat(512, 512, "yuvj420p")))
        out.mux(stream.encode(None))
    return file


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *words: Any) -> None:
        return


@contextmanager
def meeting() -> Iterator[str]:
    """The meeting's address."""
    handler = partial(Quiet, directory=str(Path(__file__).parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/meeting.html"
        server.shutdown()


def test_the_others_in_a_meeting_see_the_portrait_speak(film: Path, tmp_path: Path):
    with sync_playwright() as playwright, meeting() as address:
        browser = launch(
            playwright,
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={as_camera(film, tmp_path / 'film.mjpeg')}",
        )
        page = browser.new_context(permissions=["camera", "microphone"]).new_page()
        page.goto(address)
        page.get_by_role("button", name="Join").click()
        seen = page.locator("#seen")
        until(lambda: page.evaluate("document.getElementById('seen').videoWidth") > 0)

        def picture() -> Any:
            return cv2.imdecode(np.frombuffer(seen.screenshot(), np.uint8), cv2.IMREAD_COLOR)

        until(lambda: picture().std() > 5)
        first = picture()
        until(lambda: np.abs(picture().astype(int) - first).max() > 60)
        browser.close()

"""A browser at the far end of a call: it hears our voice, and is heard, over nothing but WebRTC."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, sync_playwright

from lsp_cam.assets import sample_speech
from lsp_cam.call.codes import code_of, read_code
from lsp_cam.call.conversation import Conversation
from lsp_cam.call.peer import Peer
from lsp_cam.call.playout import Playout
from lsp_cam.call.voices import FarVoice
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32

from .. import needs
from ..devices.media import write_float_wav
from .panel import launch, until
from .test_meeting import Quiet

SPEECH_S = 6
PIECE_S = 0.04
PIECE = int(PIECE_S * SAMPLE_RATE_HZ)
ALIKE = 0.6

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("loopback"), needs.chromium]


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our only address is 127.0.0.1."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


@pytest.fixture
def speech() -> Float32:
    return read_audio(sample_speech())[: SPEECH_S * SAMPLE_RATE_HZ]


@pytest.fixture
def browser(speech: Float32, tmp_path: Path) -> Iterator[Page]:
    """The page, in a browser that says the speech over and over."""
    voice = write_float_wav(tmp_path / "speech.wav", speech)
    handler = partial(Quiet, directory=str(Path(__file__).parent))
    with sync_playwright() as playwright, ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = launch(
            playwright,
            "--allow-loopback-in-peer-connection",
            "--autoplay-policy=no-user-gesture-required",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={voice}",
        )
        page = browser.new_context(permissions=["microphone"]).new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/call.html")
        yield page
        browser.close()
        server.shutdown()


def likeness(loudness: Float32, speech: Float32) -> float:
    """The best correlation of loudness in pieces of 40 ms with that of the speech that is said over and over."""
    pieces = speech[: len(speech) // PIECE * PIECE].reshape(-1, PIECE)
    said = np.sqrt(np.square(pieces).mean(1))
    periods = np.tile(said, len(loudness) // len(said) + 2)
    return max(float(np.corrcoef(loudness, periods[shift : shift + len(loudness)])[0, 1]) for shift in range(len(said)))


def test_a_browser_hears_the_voice_and_is_heard(browser: Page, speech: Float32) -> None:
    playout, told, stop = Playout(), list[Any](), threading.Event()
    peer = Peer(playout.hear, told.append)
    call = Conversation(peer, playout, lambda: FileSource(speech, loop=True), stop)
    listener: threading.Thread | None = None
    try:
        offer = read_code(code_of(peer.offer(), "offer").text(), "offer")
        answer = code_of(browser.evaluate("answer", offer.sdp()), "answer")
        peer.accept(read_code(answer.text(), "answer").sdp())
        peer.connect(60)
        call.begin()
        until(lambda: browser.locator("#state").inner_text() == "connected")
        assert peer.tell("over the channel")
        until(lambda: told == ["over the channel"])

        def heard_there() -> bool:
            """Whether the page has heard our voice, with as much before and behind it as is needed to know it."""
            at_s, loudness = np.array(browser.evaluate("loudness"), np.float64).reshape(-1, 2)[-250:].T
            if len(at_s) < 50:
                return False
            even = np.interp(np.arange(at_s[0], at_s[-1], PIECE_S), at_s, loudness)
            return bool(even.std() > 1e-3 and likeness(even.astype(np.float32), speech) > ALIKE)

        until(heard_there, 90)

        heard = list[Float32]()
        ear = FarVoice(playout, peer)

        def listen() -> None:
            while not stop.is_set():
                block = ear.read(0.1)
                heard.extend([block.samples] if block is not None else [])

        listener = threading.Thread(target=listen)
        listener.start()

        def heard_here() -> bool:
            """The same of the page's voice."""
            samples = np.concatenate(heard[-1000:] or [np.zeros(0, np.float32)])
            samples = samples[: len(samples) // PIECE * PIECE]
            loudness = np.sqrt(np.square(samples.reshape(-1, PIECE)).mean(1))
            return len(loudness) > 50 and bool(loudness.std() > 1e-3 and likeness(loudness, speech) > ALIKE)

        until(heard_here, 90)
    finally:
        call.end()
        if listener is not None:
            listener.join(10)

"""What the panel costs the daemon, and how far its preview lags behind the camera. Figures, never a test.

The demo subject on air, a camera that takes every picture, and Chromium with the panel open. Every picture of the
preview carries the time at which the camera got it, as sixteen black or white squares, which the page reads back.
"""

from __future__ import annotations

import argparse
import json
import secrets
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from playwright.sync_api import sync_playwright

from lsp_cam.assets import sample_speech
from lsp_cam.backends.choose import open_engine
from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.daemon.loading import Loader
from lsp_cam.devices.null import NullSink
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.store import Store
from lsp_cam.web.app import create_app

BITS, SQUARE = 16, 32
SETTLE_S = 3
HIDE = (
    "Object.defineProperty(document, 'hidden', { value: true });document.dispatchEvent(new Event('visibilitychange'))"
)
READ_LAGS = """(ms) => new Promise((end) => {
  const live = document.getElementById("live"), pen = new OffscreenCanvas(512, 8).getContext("2d", { willReadFrequently: true });
  const lags = [], until = performance.now() + ms;
  let last = -1;
  const look = () => {
    pen.drawImage(live, 0, 12, 512, 8, 0, 0, 512, 8);
    const row = pen.getImageData(0, 4, 512, 1).data;
    let sent = 0;
    for (let bit = 0; bit < 16; bit += 1) sent += (row[4 * (bit * 32 + 16)] > 127) << bit;
    if (sent !== last) { last = sent; lags.push((Date.now() % 65536 - sent + 65536) % 65536); }
    if (performance.now() < until) requestAnimationFrame(look); else end(lags);
  };
  look();
})"""  # noqa: E501 — a line of JavaScript


def stamped(send: Any) -> Any:
    """`send` for pictures that say when they were sent."""

    def stamp(rgb: Any) -> None:
        picture, now_ms = rgb.copy(), int(time.time() * 1000) % (1 << BITS)
        for bit in range(BITS):
            picture[:SQUARE, bit * SQUARE : (bit + 1) * SQUARE] = 255 * (now_ms >> bit & 1)
        send(picture)

    return stamp


def processor_share(seconds: float) -> float:
    """Per cent of one core that this process takes for `seconds`."""
    began_s, before = time.monotonic(), time.process_time()
    time.sleep(seconds)
    return 100 * (time.process_time() - before) / (time.monotonic() - began_s)


def measure(daemon: Daemon, link: str, chromium: str, seconds: float, rounds: int) -> dict[str, float]:
    """The figures; the daemon is on air. Nobody, a watched page and a hidden one take turns: medians of the rounds."""
    shares: dict[str, list[float]] = {"alone": [], "watched": [], "hidden": []}
    lags: list[float] = []
    fps: list[float] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        for _ in range(rounds):
            page.goto("about:blank")
            time.sleep(SETTLE_S)
            shares["alone"].append(processor_share(seconds))
            page.goto(link)
            page.locator("#state[data-state=running]").wait_for()
            time.sleep(SETTLE_S)
            shares["watched"].append(processor_share(seconds))
            fps.append(daemon.camera.out.per_second())
            lags += page.evaluate(READ_LAGS, 1000 * seconds)
            page.evaluate(HIDE)
            time.sleep(SETTLE_S)
            shares["hidden"].append(processor_share(seconds))
        browser.close()
    figures = {f"{name}_percent": statistics.median(seen) for name, seen in shares.items()}
    for name, when in (("preview", "watched"), ("nobody_looks", "hidden")):
        costs = [share - alone for share, alone in zip(shares[when], shares["alone"], strict=True)]
        figures |= {
            f"{name}_percent": statistics.median(costs),
            f"{name}_least_percent": min(costs),
            f"{name}_most_percent": max(costs),
        }
    figures |= {"lag_p50_ms": statistics.median(lags), "lag_p95_ms": float(np.percentile(lags, 95))}
    figures["watched_fps"] = statistics.median(fps)
    return {name: round(value, 1) for name, value in figures.items()}


@contextmanager
def shown(store: Store, subject: str, fps: int) -> Iterator[tuple[Daemon, str]]:
    """The subject on air in this process, and the panel's link; pictures say when they were sent."""
    loader = Loader(store, open_engine(threads=1, shared=True))
    samples = read_audio(sample_speech())
    daemon = Daemon(loader.find(subject), loader, lambda: FileSource(samples), NullSink(), Settings(fps))
    daemon.preview.send = stamped(daemon.preview.send)  # type: ignore[method-assign]
    token = secrets.token_urlsafe(8)
    with socket.socket() as listener, tempfile.TemporaryDirectory() as work:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        app = create_app(daemon, token, port, Path(work))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
        serving = threading.Thread(target=lambda: server.run(sockets=[listener]), daemon=True)
        serving.start()
        daemon.begin()
        try:
            yield daemon, f"http://127.0.0.1:{port}/?token={token}"
        finally:
            daemon.stop.set()
            server.should_exit = True
            serving.join()
            daemon.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fps", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=15, help="of each look")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    args = parser.parse_args()
    with shown(Store(), "demo", args.fps) as (daemon, link):
        print(json.dumps(measure(daemon, link, args.chromium, args.seconds, args.rounds)))


if __name__ == "__main__":
    main()

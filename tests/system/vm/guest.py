"""What runs inside the virtual machine: the daemon feeds the camera, Chromium and a second program look at it.

`python guest.py FOLDER`: all that is seen goes to FOLDER, one subfolder for each time on air: `sent/` what the daemon
says that it sent (snapshots, PNG), `seen/` what the page saw (RGBA, `NUMBER-WIDTHxHEIGHT`), `read/` what the second
program read (I420). Nothing is judged here. Needs the standard library only: all starts slowly in this machine.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

DEVICE = "/dev/video0"
PATIENCE_S = float(os.environ.get("LSP_CAM_VM_PATIENCE_S", "150"))
ENOUGH = 2
ENTRY = [sys.executable, "-c", "from lsp_cam.cli.entry import run; run()"]
SPEECH = Path(__file__).parents[3] / "lsp_cam/assets/sample.ogg"
START = ("start", "--foreground", "--subject", "demo", "--mic", str(SPEECH), "--mic-out", "none", "--threads", "1")
BROWSER = [
    "/usr/lib/chromium/chromium-headless-shell",
    "--no-sandbox",
    "--no-zygote",
    "--renderer-process-limit=1",
    "--in-process-gpu",
    "--disable-gpu",
    "--disable-software-rasterizer",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--user-data-dir=/run/browser",
]


def main(folder: Path) -> None:
    page = Page()
    with page.serve() as server, running(*BROWSER, f"http://127.0.0.1:{server.server_port}/"):
        for name, size in (("first", "1280x720"), ("second", "640x480")):
            on_air(folder / name, size, page)
    (folder / "finished").touch()


def on_air(folder: Path, size: str, page: Page) -> None:
    """Start the daemon, look until enough was seen, and stop it."""
    for part in ("sent", "seen", "read"):
        (folder / part).mkdir(parents=True)
    say(f"{folder.name}: start at {size}")
    with running(*ENTRY, *START, "--camera", "LSP Cam", "--fps", "2", "--size", size) as daemon:

        def until(condition: Callable[[], bool], what: str) -> None:
            wait(lambda: condition() or daemon.poll() is not None, what)
            if daemon.poll() is not None:
                raise SystemExit(f"the daemon ended before {what}")

        until(lambda: b"Video Capture" in asked("v4l2-ctl", "-d", DEVICE, "-D"), "the camera is fed")
        say("it is fed")
        over = threading.Event()
        snapshots = threading.Thread(target=take_snapshots, args=(folder / "sent", over), daemon=True)
        snapshots.start()
        page.look(size, folder)
        until(lambda: page.seen > 1, "the page sees pictures")
        say("the page sees it")
        width, height = map(int, size.split("x"))
        # It reads, as dd does: one that maps the driver's memory (v4l2-ctl) ends the stream of the first, in 0.12.7.
        asked("dd", f"if={DEVICE}", f"of={folder}/read/pictures", f"bs={width * height * 3 // 2}", "count=3")
        say("the second reader has read")
        enough = page.seen + ENOUGH
        until(lambda: min(page.seen, len(os.listdir(folder / "sent"))) >= enough, "the page sees more")
        page.look("", folder)
        until(lambda: page.closed, "the page lets go")
        over.set()
        snapshots.join()
        daemon.send_signal(signal.SIGINT)
        (folder / "status").write_text(str(daemon.wait(PATIENCE_S)))
    say("stopped")


def take_snapshots(folder: Path, over: threading.Event) -> None:
    """What the daemon sends, each picture once."""
    last = b""
    while not over.wait(1.5):
        try:
            picture = snapshot()
        except (OSError, KeyError, ValueError, urllib.error.URLError):
            continue  # not up yet
        if picture != last:
            last = picture
            write(folder / f"{time.monotonic():.2f}.png", picture)


def snapshot() -> bytes:
    contact = json.loads((Path(os.environ["LSP_CAM_RUNTIME"]) / "daemon.json").read_text())
    request = urllib.request.Request(f"http://127.0.0.1:{contact['port']}/api/snapshot")
    request.add_header("Authorization", f"Bearer {contact['token']}")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        picture: bytes = answer.read()
        return picture


class Page:
    """The page, as seen from here: what it is to look at, and what it told."""

    def __init__(self) -> None:
        self._wish, self._folder = "", Path()
        self.seen, self.closed = 0, True

    def look(self, size: str, folder: Path) -> None:
        """Take the camera in that size and put what is seen into `folder`; no size: let go of it."""
        if size:
            self.seen, self.closed = 0, False
        self._wish, self._folder = size, folder

    def wish(self) -> str:
        return self._wish

    def told(self, topic: str, query: str, body: bytes) -> None:
        if topic == "/picture":
            write(self._folder / "seen" / f"{self.seen:03}-{parse_qs(query)['size'][0]}", body)
            self.seen += 1
        elif topic == "/cameras":
            write(self._folder / "cameras.json", body)
        elif topic == "/closed":
            self.closed = True
        else:
            say(f"the page: {body.decode()}")

    def serve(self) -> http.server.ThreadingHTTPServer:
        page = self

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wish = self.path == "/wish"
                self._answer(page.wish().encode() if wish else (Path(__file__).parent / "page.html").read_bytes())

            def do_POST(self) -> None:
                asked_for = urlsplit(self.path)
                page.told(asked_for.path, asked_for.query, self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(b"")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: Any) -> None:
                return

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that has ended when the body has."""
    process = subprocess.Popen(words)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def write(file: Path, data: bytes) -> None:
    """`data` as `file`, which appears when it is complete."""
    part = file.with_name(f".{file.name}")
    part.write_bytes(data)
    part.rename(file)


def asked(*words: str) -> bytes:
    return subprocess.run(words, capture_output=True, timeout=PATIENCE_S, check=False).stdout


def wait(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"it did not happen: {what}")
        time.sleep(0.3)


def say(what: str) -> None:
    print(f"guest {time.monotonic():6.1f} s: {what}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

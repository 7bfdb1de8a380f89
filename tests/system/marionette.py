"""Debian's Firefox without a window, driven through Marionette, the door that it has built in.

Messages are JSON behind their length (`42:[0,1,"WebDriver:Navigate",{…}]`); an answer is [1, id, error, result].
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..needs import FIREFOX

PREFERENCES = {
    "marionette.port": 0,  # a free one; MarionetteActivePort tells which
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # what WebDriver calls a reference to an element
PATIENCE_S = 60.0
KEYS = {"Home": "\ue011", "Escape": "\ue00c", "ArrowLeft": "\ue012", "ArrowRight": "\ue014"}
PAGE_ERRORS = """return Services.console.getMessageArray()
  .filter((m) => m instanceof Ci.nsIScriptError && m.sourceName.startsWith(arguments[0])
    && !(m.flags & Ci.nsIScriptError.warningFlag)).map((m) => m.message)"""


class Firefox:
    """One window. Elements are named by CSS selectors."""

    def __init__(self, port: int) -> None:
        self._line = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._said = self._line.makefile("rb")
        self._count = 0
        self._hear()  # it greets
        self.ask("WebDriver:NewSession", {"unhandledPromptBehavior": "ignore"})

    def close(self) -> None:
        self._said.close()
        self._line.close()

    def ask(self, command: str, parameters: dict[str, Any] | None = None) -> Any:
        """Send a command; gives its value. AssertionError for an error of Firefox's."""
        self._count += 1
        data = json.dumps([0, self._count, command, parameters or {}]).encode()
        self._line.sendall(b"%d:%b" % (len(data), data))
        _, _, error, result = self._hear()
        assert not error, f"{command}: {error['message']}"
        return result.get("value") if isinstance(result, dict) else result

    def _hear(self) -> Any:
        size = b""
        while (byte := self._said.read(1)) != b":":
            assert byte, "Firefox has gone"
            size += byte
        return json.loads(self._said.read(int(size)))

    def go(self, link: str) -> None:
        self.ask("WebDriver:Navigate", {"url": link})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value of a script (`return …`)."""
        return self.ask("WebDriver:ExecuteScript", {"script": script, "args": list(arguments)})

    def find(self, selector: str) -> str:
        """The reference of an element."""
        found = self.ask("WebDriver:FindElement", {"using": "css selector", "value": selector})
        return str(found[ELEMENT])

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))

    def click(self, selector: str) -> None:
        self.ask("WebDriver:ElementClick", {"id": self.find(selector)})

    def keys(self, selector: str, text: str) -> None:
        """Type into an element, or choose a file by its path."""
        self.ask("WebDriver:ElementSendKeys", {"id": self.find(selector), "text": KEYS.get(text, text)})

    def drag(self, selector: str, right: int, down: int) -> None:
        """Press in the middle of an element, move, let go. In pixels."""
        origin = {ELEMENT: self.find(selector)}
        moves = [{"type": "pointerMove", "origin": "pointer", "x": right // 8, "y": down // 8, "duration": 20}] * 8
        acts = [
            {"type": "pointerMove", "origin": origin, "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            *moves,
            {"type": "pointerUp", "button": 0},
        ]
        hand = {"type": "pointer", "id": "hand", "parameters": {"pointerType": "mouse"}, "actions": acts}
        self.ask("WebDriver:PerformActions", {"actions": [hand]})

    def picture(self, selector: str | None = None) -> NDArray[np.uint8]:
        """A screenshot of an element, or of the window."""
        given = {"id": self.find(selector)} if selector else {"full": False}
        data = base64.b64decode(self.ask("WebDriver:TakeScreenshot", given))
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert found is not None
        return np.asarray(found, np.uint8)

    def complaints(self, origin: str) -> list[str]:
        """Errors of scripts and styles that came from `origin`."""
        self.ask("Marionette:SetContext", {"value": "chrome"})
        found = self.run(PAGE_ERRORS, origin)
        self.ask("Marionette:SetContext", {"value": "content"})
        return list(found)


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A Firefox with a profile of its own in `folder`, whose fake camera and microphone are always granted."""
    profile = folder / "profile"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    words = ["--headless", "--no-remote", "--marionette", "--remote-allow-system-access", "--profile", str(profile)]
    process = subprocess.Popen([FIREFOX, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = profile / "MarionetteActivePort"
        deadline_s = time.monotonic() + PATIENCE_S
        while not port.exists() or not port.read_text():
            assert process.poll() is None, "Firefox ended"
            assert time.monotonic() < deadline_s, "Firefox does not start"
            time.sleep(0.1)
        with closing(Firefox(int(port.read_text()))) as window:
            yield window
    finally:
        process.terminate()
        process.wait(PATIENCE_S)

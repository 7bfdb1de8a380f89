"""What people do that the panel must bear: forbid the camera, film lsp-cam's own, drop beside, choose a taken name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from .. import needs
from .panel import panel_of, until

pytestmark = [pytest.mark.system, needs.chromium]
# The browser offers lsp-cam's camera first; the real one is in use.
OWN_CAMERA_FIRST = """() => {
  const track = (kind, label) => ({ kind, label, stop() {} });
  window.asked = [];
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (window.asked.push(wanted) > 1) throw new DOMException("busy", "NotReadableError");
    return { getTracks: () => [track("video", "LSP Cam"), track("audio", "A microphone")] };
  };
  navigator.mediaDevices.enumerateDevices = async () => [
    { kind: "videoinput", label: "LSP Cam", deviceId: "ours" },
    { kind: "videoinput", label: "Webcam", deviceId: "theirs" },
  ];
}"""


@pytest.fixture(scope="module")
def page(reference_bundle: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with panel_of(reference_bundle(), tmp_path_factory.mktemp("home"), 360, 700) as page:
        page.get_by_role("tab", name="New").click()
        yield page


def told(page: Page, words: str) -> None:
    """The panel says so, where it is seen, until it is dismissed."""
    complaint = page.locator("#warnings li", has_text=words)
    complaint.wait_for(timeout=30_000)
    until(
        lambda: complaint.evaluate(
            "e => { const r = e.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight; }"
        )
    )
    complaint.get_by_role("button", name="Dismiss").click()


def test_a_camera_that_may_not_be_used_is_told_in_plain_words(page: Page):
    page.get_by_role("button", name="Record now").click()
    told(page, "The browser")


def test_the_portraits_own_camera_is_not_filmed(page: Page):
    page.evaluate(OWN_CAMERA_FIRST)
    page.get_by_role("button", name="Record now").click()
    told(page, "Another program has your camera")
    assert page.evaluate("asked.map((wanted) => wanted.video.deviceId?.exact ?? null)") == [None, "theirs"]


def test_where_there_is_no_microphone_it_says_how_to_get_one(page: Page):
    nothing = {"devices": [], "missing": [{"kind": "microphone", "reason": "Plug one in."}]}
    page.route("**/api/devices", lambda route: route.fulfill(json=nothing))
    page.get_by_role("tab", name="Set up").click()
    until(lambda: str(page.locator("#mic-name").text_content()).endswith(". Plug one in."))
    page.unroute_all()
    page.get_by_role("tab", name="New").click()


def test_a_file_dropped_beside_its_place_does_not_take_the_panels_place(page: Page):
    dropped = "document.body.dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true }))"
    assert page.evaluate(dropped) is False, "the browser would open it"


def test_a_film_is_sent_once_however_often_its_name_is_refused(page: Page, tmp_path: Path):
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/api/recordings" in request.url else None)
    (tmp_path / "talk.webm").write_bytes(b"not much of a film")
    page.locator("#film").set_input_files(tmp_path / "talk.webm")
    page.get_by_role("textbox", name="Who is shown").fill("Nobody")
    page.get_by_label("The person shown has agreed").check()
    name = page.get_by_label("Name of the subject")
    name.fill("Ada B.")
    assert name.evaluate("field => field.validity.patternMismatch")
    for taken in ("sketch", "double"):
        name.fill(taken)
        page.get_by_role("button", name="Make the subject").click()
        told(page, taken)
    assert len(sent) == 1

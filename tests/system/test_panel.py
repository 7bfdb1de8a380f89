"""The panel steers the real daemon: microphone, head, manner, subjects, rate, from Chromium and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from lsp_cam.assets import sample_speech
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ

from .. import needs
from ..devices.media import write_float_wav
from .panel import Cam, cam_on_air, launch, opened, portrait, until
from .pulse import PulseServer, pulse_server

pytestmark = [pytest.mark.system, needs.pulse_audio, needs.chromium]


@pytest.fixture(scope="module")
def pulse() -> Iterator[PulseServer]:
    with pulse_server() as pulse:
        yield pulse


@pytest.fixture(scope="module")
def cam(reference_bundle: Any, pulse: PulseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cam]:
    with cam_on_air(reference_bundle(), tmp_path_factory.mktemp("home"), pulse.environ) as cam:
        yield cam


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, cam: Cam) -> Iterator[Page]:
    with opened(browser, cam.run("panel").strip(), 1000, 800) as page:
        yield page


def test_the_microphone_is_picked_and_checked(page: Page, cam: Cam, pulse: PulseServer, tmp_path: Path):
    choice = page.locator("#mic option", has_text="test_mic").first
    choice.wait_for(state="attached", timeout=30_000)
    page.get_by_label("Listen to").select_option(choice.get_attribute("value"))
    until(lambda: page.locator("#mic-name").text_content() == "test_mic: no sound at all")
    assert cam.status()["microphone"]["name"] == "test_mic"
    speech = read_audio(sample_speech())[: 8 * SAMPLE_RATE_HZ]
    player = pulse.play(write_float_wav(tmp_path / "speech.wav", speech))
    until(lambda: page.evaluate("document.getElementById('level').value") > -50)
    page.get_by_role("button", name="Say something").click()
    until(lambda: "Speech" in str(page.locator("#heard").text_content()))
    assert "Nothing was heard" not in str(page.locator("#heard").text_content())
    player.wait()
    page.get_by_label("Listen to").select_option("sample")
    until(lambda: page.locator("#mic-name").text_content() == "a sample of speech")


def test_who_reads_the_camera_is_told_of_ours_alone(page: Page):
    """The daemon's answers, as they would be with two virtual cameras, of which it feeds the second."""

    ours: list[str] = []

    def answered(route: Route) -> None:
        told = route.fetch().json()
        if route.request.url.endswith("/api/status"):
            told["camera"] |= {"name": "LSP Cam (/dev/video1), 1280x720 at 30 fps", "state": "live"}
        else:
            told["missing"] = []
            told["devices"] = [
                {"kind": "camera", "id": f"/dev/video{number}", "name": name, "is_default": False, "detail": "in use",
                 "readers": readers}
                for number, name, readers in ((1, "LSP Cam", ours), (10, "OBS", ["obs"]))
            ]  # fmt: skip
        route.fulfill(json=told)

    page.route(re.compile("/api/(status|devices)$"), answered)
    for reader, words in (("", "On air. No program of yours is seen to read it."), ("zoom", "On air. Read by zoom.")):
        ours[:] = filter(None, [reader])
        page.reload()
        until(lambda words=words: page.locator("#camera-state").text_content() == words)


def test_the_preview_moves(page: Page):
    first = portrait(page)
    assert first.std() > 5, "it is a picture"
    until(lambda: not np.array_equal(portrait(page), first))


def drag(page: Page, right: float, down: float) -> None:
    """Drag on the portrait, by shares of its side."""
    box = page.locator("#handle").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right * box["width"], y + down * box["height"], steps=8)
    page.mouse.up()


def yaw_of(cam: Cam) -> float:
    return float(cam.status()["head"]["yaw_deg"])


def rests(cam: Cam) -> None:
    """Wait until the head has arrived, and until its pictures have."""
    places = [float("nan")]

    def arrived() -> bool:
        places.append(yaw_of(cam))
        return places[-1] == places[-2]

    until(arrived)
    shown = cam.status()["frames"]["sent"]
    until(lambda: cam.status()["frames"]["sent"] > shown + 15)


def nose(page: Page) -> tuple[float, float]:
    """Where the lines of the nose are from left to right, in pixels of the screen: mean and deviation over a time."""
    pictures = np.array([portrait(page) for _ in range(8)], float).mean(axis=3)
    side = pictures.shape[1]
    middle = np.arange(int(0.4 * side), int(0.6 * side))
    ink = pictures[:, int(0.46 * side) : int(0.53 * side), middle].sum(axis=1)
    places = ink @ middle / ink.sum(axis=1)
    return float(places.mean()), float(places.std())


def test_dragging_turns_the_head_and_escape_gives_it_back(page: Page, cam: Cam):
    drag(page, 0.25, -0.1)
    until(lambda: cam.status()["head"]["yaw_deg"] > 8)
    told = cam.status()
    assert told["steering"]["mode"] == "fixed"
    assert told["head"]["pitch_deg"] > 3
    rests(cam)
    right, spread = nose(page)
    drag(page, -0.5, 0.0)
    until(lambda: cam.status()["head"]["yaw_deg"] < -8)
    rests(cam)
    left, other_spread = nose(page)
    assert right - left > max(4, 3 * spread, 3 * other_spread), "the picture shows it, whatever lips and eyes do"
    page.locator("#handle").focus()
    page.keyboard.press("Escape")
    until(lambda: cam.status()["steering"]["mode"] == "auto")


def test_the_head_is_turned_by_keyboard_too(page: Page, cam: Cam):
    page.locator("#handle").focus()
    page.keyboard.press("Home")
    until(lambda: abs(yaw_of(cam)) < 0.1)
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    until(lambda: abs(yaw_of(cam) - 6) < 0.1)
    assert "6 degrees" in str(page.locator("#told").text_content()), "a screen reader says so"
    page.get_by_role("tab", name="Head").press("Enter")
    page.get_by_label("Tilt").focus()
    page.keyboard.press("ArrowLeft")
    until(lambda: cam.status()["head"]["roll_deg"] == -1)
    page.get_by_role("button", name="Back to automatic").press("Enter")
    until(lambda: cam.status()["steering"]["mode"] == "auto")


def test_the_manner_is_set_remembered_and_reset(page: Page, cam: Cam):
    page.get_by_role("tab", name="Head").click()
    page.get_by_label("Mouth opens").fill("1.5")
    page.get_by_label("Liveliness").fill("0.5")
    until(lambda: cam.status()["manner"] == {"liveliness": 0.5, "mouth": 1.5, "shoulders": 1, "blinks": 1})
    page.reload()
    until(lambda: page.locator("#mouth-value").text_content() == "1.5×")
    page.get_by_role("button", name="Reset").click()
    until(lambda: cam.status()["manner"]["mouth"] == 1)
    until(lambda: page.locator("#mouth-value").text_content() == "1×")


def test_another_subject_takes_over_and_the_camera_drops_no_frame(page: Page, cam: Cam):
    page.get_by_role("tab", name="Subjects").click()
    before = cam.status()
    page.get_by_role("button", name="double").click()
    until(lambda: "Showing double" in str(page.locator("#caption").text_content()))
    after = cam.status()
    passed_s = after["uptime_s"] - before["uptime_s"]
    lost = after["frames"]["missed"] - before["frames"]["missed"]
    assert lost <= 0.05 * 15 * passed_s + 1, "the camera kept its rate"
    assert after["frames"]["sent"] - before["frames"]["sent"] > 0.8 * 15 * passed_s
    page.get_by_role("button", name="sketch").click()
    until(lambda: "Showing sketch" in str(page.locator("#caption").text_content()))


HOLDS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Pause": lambda told: told["paused"],
    "Mute": lambda told: told["muted"],
    "Mirror": lambda told: told["camera"]["mirror"],
    "Hold still": lambda told: told["steering"]["mode"] == "hold",
}


@pytest.mark.parametrize("name", HOLDS)
def test_the_buttons_do_what_they_say(page: Page, cam: Cam, name: str):
    button = page.get_by_role("button", name=name, exact=True)
    for wanted in ("true", "false"):
        button.press("Enter")
        until(lambda wanted=wanted: button.get_attribute("aria-pressed") == wanted)
        assert HOLDS[name](cam.status()) == (wanted == "true")


def test_rate_and_size_are_chosen_while_it_is_on_air(page: Page, cam: Cam):
    page.get_by_label("Pictures a second").select_option("10")
    until(lambda: cam.status()["camera"]["fps"] == 10)
    page.get_by_label("Size", exact=True).select_option("640x480")
    until(lambda: page.evaluate("document.getElementById('live').naturalWidth") == 640)
    page.get_by_label("Size", exact=True).select_option("512x512")
    page.get_by_label("Pictures a second").select_option("15")
    until(lambda: cam.status()["camera"]["fps"] == 15)


def test_timing_tells_the_parts_of_the_delay(page: Page):
    page.get_by_role("tab", name="Timing").click()
    until(lambda: "ms" in str(page.locator("#delay-rendering").text_content()))
    assert page.locator("#delay-look_ahead").text_content() == "321 ms"
    until(lambda: len(str(page.locator("#verdict").text_content())) > 5)
    drawn = page.evaluate(
        "() => { const plot = document.getElementById('plot'), all = [0, 0, plot.width, plot.height];"
        " return plot.getContext('2d').getImageData(...all).data.some((level) => level) }"
    )
    assert drawn


def drop(page: Page, place: str, file: Path) -> None:
    """Drop a file on an element, as a hand would from another window."""
    script = """([name, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name));
        return transfer;
    }"""
    transfer = page.evaluate_handle(script, [file.name, list(file.read_bytes())])
    page.dispatch_event(place, "drop", {"dataTransfer": transfer})


def test_a_dropped_recording_is_dubbed(page: Page, cam: Cam, tmp_path: Path):
    speech = write_float_wav(tmp_path / "hello.wav", read_audio(sample_speech())[: 2 * SAMPLE_RATE_HZ])
    page.get_by_role("tab", name="Dub").click()
    drop(page, "#dub", speech)
    page.locator("#dub-done").wait_for(timeout=120_000)
    page.reload()  # what was done is still there
    page.locator("#dub-done").wait_for(timeout=30_000)
    until(lambda: page.evaluate("document.getElementById('dub-video').videoWidth") == 512)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save the video").click()
    with av.open(str(saved.value.path())) as video:
        assert sum(1 for _ in video.decode(video=0)) == 50
    (tmp_path / "noise.wav").write_bytes(b"RIFF and no more")
    page.locator("#dub-file").set_input_files(tmp_path / "noise.wav")
    page.locator("#dub-failed").wait_for(timeout=30_000)
    assert len(str(page.locator("#dub-failed").text_content())) > 20, "it says why"


def test_a_page_whose_daemon_has_gone_says_so_and_comes_back(browser: Browser, cam: Cam):
    page = browser.new_page()
    page.goto(cam.run("panel").strip())
    page.locator("#state[data-state=running]").wait_for(timeout=30_000)
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"detail": "no"}))
    page.locator("#state[data-state=gone]").wait_for(timeout=30_000)
    assert "lsp-cam panel" in str(page.locator("#state-text").text_content())
    page.unroute("**/api/**")
    page.locator("#state[data-state=running]").wait_for(timeout=30_000)
    page.close()

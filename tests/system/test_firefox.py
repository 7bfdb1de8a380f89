"""The panel in Firefox: it shows, obeys hand and keys, dubs and records as in Chromium, and complains of nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ

from .. import needs
from ..devices.media import write_float_wav
from .marionette import firefox
from .panel import cam_on_air, until

pytestmark = [pytest.mark.system, needs.firefox]


def test_firefox_does_what_chromium_does(reference_bundle: Any, tmp_path: Path):
    speech = write_float_wav(tmp_path / "hello.wav", read_audio(sample_speech())[: 2 * SAMPLE_RATE_HZ])
    with cam_on_air(reference_bundle(), tmp_path / "home", {**os.environ}) as cam, firefox(tmp_path) as page:
        link = cam.run("panel").strip()
        page.go(link)
        until(lambda: page.text("#state-text") == "On air")

        first = page.picture("#live")
        assert first.std() > 5, "it is a picture"
        until(lambda: not np.array_equal(page.picture("#live"), first))

        page.drag("#handle", 120, 0)
        until(lambda: cam.status()["head"]["yaw_deg"] > 5)
        page.keys("#handle", "Escape")
        until(lambda: cam.status()["steering"]["mode"] == "auto")

        page.click("#tab-head")
        page.keys("#mouth", "ArrowRight")
        until(lambda: cam.status()["manner"]["mouth"] == 1.05)

        page.click("#tab-dub")
        page.keys("#dub-file", str(speech))
        until(lambda: page.run("return document.getElementById('dub-video').videoWidth") == 512, 120)

        page.click("#tab-new")
        page.click("#record")
        until(lambda: page.text("#studio-time") > "0:01")
        assert page.text("#studio-cue").startswith("Say nothing yet")
        page.click("#studio-stop")
        until(lambda: "MB" in page.text("#new-film"))
        assert page.complaints(link.partition("?")[0]) == []

"""A call between two hosts, on a line that loses packets and from an address that changes.

How much the portrait suffers is `benchmarks/call.py`'s to say; here it goes on, and sends no more than it should.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.call.opus import Config
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.store import Store

from .. import needs
from .caller import SEEN
from .distance import Side, call_between, opening, sketched, sound, whole
from .hosts import two_hosts
from .relay import ETHERNET, IP, UDP_HEAD, Weather
from .test_peer import until

pytestmark = needs.root
RTP_AND_SEAL = 12 + 16
CORRECTION_BPS = 2000


def goes_on(side: Side) -> None:
    """From now on speech is heard there, and lips are seen that open and close."""
    first_s = time.monotonic()

    def speaks() -> bool:
        heard_s, heard = sound(side.record, "heard")
        seen = np.fromfile(side.record / "seen", SEEN)
        lips = seen["lips"][seen["at_s"] > first_s]
        return (
            bool(np.abs(heard[heard_s > first_s]).max(initial=0.0) > 0.05) and len(lips) and np.ptp(opening(lips)) > 3
        )

    until(speaks, 90)


@pytest.mark.timeout(900)
def test_speech_and_portrait_bear_a_bad_line_and_a_new_address(tmp_path: Path) -> None:
    sketched(Store().get("demo"), tmp_path)
    np.save(tmp_path / "speech.npy", whole(read_audio(sample_speech())))
    with two_hosts() as line, call_between(line, tmp_path, tmp_path / "speech.npy", "--fps", "10") as (near, far):
        goes_on(far)
        line.weather(Weather(loss=0.2))
        before = far.stats()
        until(lambda: near.stats()["told_loss"] > 0.02, 90)
        until(lambda: far.stats()["recovered"] > before["recovered"] + 3, 90)
        goes_on(far)
        line.weather(Weather())
        line.readdress("left", 3)
        before = far.stats()
        until(lambda: far.stats()["traffic"]["packets_in"] > before["traffic"]["packets_in"] + 20, 90)
        goes_on(far)
        goes_on(near)
        (packets, size), told, carried = line.sent("left"), near.stats()["traffic"], line.carried()
    # The interface counts what was told: speech of 16 kbit/s (more while errors are corrected), and its headers.
    speech_packets, speech_bytes = carried["left rtp"]
    payload = speech_bytes - speech_packets * (ETHERNET + IP + UDP_HEAD + RTP_AND_SEAL)
    most = (Config().bitrate_bps + CORRECTION_BPS) * Config().frame_ms / 8000
    assert payload / speech_packets < 1.1 * most
    assert payload == pytest.approx(told["bytes_out"], rel=0.2)
    assert size > 0.9 * speech_bytes
    assert packets > 0.9 * speech_packets

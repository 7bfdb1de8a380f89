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
from .distance import Side, call_between, opening, pose, sketched, sound, turned, whole
from .hosts import two_hosts
from .relay import ETHERNET, IP, UDP_HEAD, Weather
from .test_motion import lively
from .test_peer import until

pytestmark = [pytest.mark.system, needs.root]
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


def motion(side: Side) -> tuple[int, int]:
    told = side.stats()["traffic"]
    return int(told["motion_packets_out"]), int(told["motion_bytes_out"])


@pytest.mark.timeout(900)
def test_a_head_that_is_dragged_here_turns_there_in_step_and_garbage_changes_nothing(tmp_path: Path) -> None:
    sketched(Store().get("demo"), tmp_path)
    np.save(tmp_path / "speech.npy", whole(read_audio(sample_speech())))
    options = ("--fps", "20", "--free")
    with two_hosts() as line, call_between(line, tmp_path, tmp_path / "speech.npy", *options) as (near, far):
        goes_on(far)
        assert motion(near) == (0, 0), "nobody steers"
        assert line.carried().get("left dtls", (0, 0))[1] < 20_000
        _, before = turned(far)
        assert np.abs(before).max() < 20, "it moves by itself"
        line.weather(Weather(loss=0.1, delay_s=0.05, jitter_s=0.03))
        spoken_s = pose(near, mode="fixed", yaw_deg=40.0)
        until(lambda: abs(far.stats()["head"][0] - 40) < 0.1, 90)
        at_s, yaw = turned(far)
        follows_s = float(at_s[np.argmax(yaw > 20)]) - spoken_s - far.stats()["delay_s"]
        assert 0 < follows_s < 0.8, "with the words that it was turned at, on their way for 0.1 s and eased for 0.3"
        line.weather(Weather())
        pose(near, mode="track", track=lively(20).tolist())
        first, first_s = motion(near), near.stats()["now_s"]
        time.sleep(10)
        last, last_s = motion(near), near.stats()["now_s"]
        assert last[0] > first[0] + 20
        assert 8 * (last[1] - first[1]) / (last_s - first_s) < 2000
        pose(near)
        sent = motion(near)
        until(lambda: motion(near)[0] >= sent[0] + 3, 60)
        until(lambda: abs(far.stats()["head"][0]) < 15, 60)
        sent = motion(near)
        near.tell({"junk": 300})
        assert near.hear()["thrown"]
        until(lambda: far.stats()["head_refused"] > 100, 60)
        assert abs(far.stats()["head"][0]) <= 90
        goes_on(far)
        goes_on(near)
        assert near.stats()["open"]
        assert motion(far) == (0, 0), "who does not steer says nothing"

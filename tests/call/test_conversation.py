"""A call as its daemon sees it: whose portrait is shown, and who is muted."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.call.conversation import Conversation
from lsp_cam.call.exchange import Exchange
from lsp_cam.call.peer import Peer
from lsp_cam.call.playout import Playout
from lsp_cam.call.portraits import Wishes, passing
from lsp_cam.call.voices import FarVoice
from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.devices.null import ListSink, ListVoice
from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.stages.steer import Steering
from lsp_cam.store import Store
from tests.bundles import tiny_bundle
from tests.daemon.fakes import FakeLoader

from .test_peer import introduce, until

pytestmark = pytest.mark.usefixtures("loopback")


def test_the_callers_own_portrait_is_shown_and_mute_is_the_microphones(tmp_path: Path) -> None:
    here, there, ours, theirs = Playout(), Playout(), Exchange(), Exchange()
    one, other = Peer(here.hear, ours.hear), Peer(there.hear, theirs.hear)
    said: list[str] = []
    stores = [Store(tmp_path / name, tmp_path / "none") for name in ("here", "there")]
    bert = tiny_bundle(tmp_path, "bert", {"pictures.bin": np.random.default_rng(0).bytes(500_000)})
    wishes = [Wishes(sent, lambda p: True, said.append, store=s) for sent, s in zip((None, bert), stores, strict=True)]
    loader: Any = FakeLoader()
    ends = [threading.Event(), threading.Event()]
    speech = read_audio(sample_speech())
    voice = ListVoice()
    calls = [
        Conversation(
            line, playout, lambda: FileSource(speech, loop=True), end, portraits=passing(exchange, line.tell, wish)
        )
        for line, playout, end, exchange, wish in (
            (one, here, ends[0], ours, wishes[0]),
            (other, there, ends[1], theirs, wishes[1]),
        )
    ]
    daemons = [
        Daemon(
            loader.find("anna"), loader, lambda call=call: FarVoice(call.playout, call.line), ListSink(),
            Settings(fps=10), voice_sink=voice if call is calls[0] else None, stop=call.stop,
        )
        for call in calls
    ]  # fmt: skip
    try:
        introduce(one, other)
        for call, daemon in zip(calls, daemons, strict=True):
            call.begin()
            daemon.begin()
            call._meet(daemon, waived=False)
        until(lambda: daemons[0].subject == "bert", 120)
        until(lambda: "The other side sees your portrait." in said)
        assert stores[0].get("bert").text == bert.text
        assert daemons[1].subject == "anna"
        until(lambda: any(np.abs(s).max() > 0.05 for _, s in voice.blocks[-20:]))
        daemons[1].steer(Steering("fixed", yaw_deg=10))
        assert daemons[1].steered.steering.mode == "fixed"
        assert daemons[1].listener.steering.mode == "auto", "the other side's portrait is not ours to turn"
        until(lambda: other.traffic.motion_packets_out > 0)
        until(lambda: daemons[1].steered.head == pytest.approx((10, 0, 0, 0, 0, 0)))
        assert one.traffic.motion_packets_out == 0
        daemons[1].mute(True)
        assert daemons[1].muted
        assert not daemons[1].listener.muted, "the other side is still seen speaking"
        until(lambda: len(voice.blocks) > 100 and not any(np.abs(s).max() > 1e-3 for _, s in voice.blocks[-100:]))
        daemons[1].mute(False)
        until(lambda: any(np.abs(s).max() > 0.05 for _, s in voice.blocks[-20:]))
        daemons[1].hear_from(FileSource(np.zeros(16_000, np.float32), "another microphone"))
        until(lambda: len(voice.blocks) > 100 and not any(np.abs(s).max() > 1e-3 for _, s in voice.blocks[-100:]))
        daemons[0].hear_from(FileSource(speech, "not the line"))
        assert daemons[0].source.name == FarVoice(here, one).name, "the portrait still says what the other side says"
    finally:
        for end in ends:
            end.set()
        for part in (*daemons, *calls):
            part.end()

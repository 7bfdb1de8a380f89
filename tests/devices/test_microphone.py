"""The microphone's logic on a PortAudio that obeys; tests/system/test_microphone.py has a real one."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from lsp_cam.devices import catalogue, microphone, portaudio
from lsp_cam.devices.capture import Capture
from lsp_cam.devices.microphone import Microphone
from lsp_cam.errors import DeviceError

from .fake_sounddevice import FakeSoundDevice, PortAudioError, device
from .media import tone


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSoundDevice]:
    headset = device(2, "USB Headset", inputs=2)
    fake = FakeSoundDevice([device(0, "Speakers", inputs=0), device(1, "Webcam Mic"), headset], default=1)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    monkeypatch.setattr(microphone, "RETRY_S", 0.05)
    yield fake
    assert all(s.closed for s in fake.streams)
    assert not portaudio._open_streams


def wait_for(what: Callable[[], bool], timeout_s: float = 5.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)


def test_samples_come_out_as_they_went_in_with_the_time_of_the_last(sound: FakeSoundDevice) -> None:
    with Microphone() as source:
        assert source.name == "Webcam Mic"
        assert sound.streams[0].options["device"] == 1
        assert (sound.streams[0].options["blocksize"], sound.streams[0].options["latency"]) == (160, "low")
        speech = tone(0.01)
        before_s = time.monotonic()
        sound.streams[0].give(speech, age_s=0.050)
        after_s = time.monotonic()
        block = source.read(1.0)
        assert block is not None
        assert np.array_equal(block.samples, speech)
        assert before_s <= block.captured_s + 0.040 <= after_s
        assert not block.gap
        assert source.read(0.01) is None
        assert source.state == "live"
    assert source.state == "ended"
    assert source.read(1.0) is None


def test_a_latency_that_cannot_be_is_not_believed(sound: FakeSoundDevice) -> None:
    with Microphone() as source:
        for age_s in (-30.0, 1e9):
            before_s = time.monotonic()
            sound.streams[0].give(tone(0.01), age_s=age_s)
            after_s = time.monotonic()
            block = source.read(1.0)
            assert block is not None
            assert before_s <= block.captured_s <= after_s


@pytest.mark.parametrize(
    "way", [(48_000, 1, "float32"), (48_000, 2, "float32"), (16_000, 2, "int16"), (48_000, 2, "int16")]
)
def test_a_device_is_taken_as_it_is(sound: FakeSoundDevice, way: tuple[int, int, str]) -> None:
    sound.takes = {way}
    rate_hz, channels, dtype = way
    with Microphone("headset") as source:
        stream = sound.streams[0]
        assert stream.options["blocksize"] == rate_hz // 100
        speech = tone(1.0, rate_hz) * (32767 if dtype == "int16" else 1)
        got = []
        for start in range(0, len(speech), rate_hz // 100):
            piece = speech[start : start + rate_hz // 100, None].astype(dtype)
            stream.give(np.repeat(piece, channels, 1))
            block = source.read(0.0)
            if block is not None:
                got.append(block.samples)
        heard = np.concatenate(got)
        assert 0.95 < len(heard) / 16_000 <= 1.0
        assert np.abs(heard - tone(1.0)[: len(heard)])[400:-400].max() < 2e-3


def test_a_late_reader_loses_the_oldest_and_is_told(sound: FakeSoundDevice) -> None:
    with Microphone() as source:
        for index in range(205):
            sound.streams[0].give(np.full(160, index, np.float32))
        assert source.overflows == 5
        first, second = source.read(0.0), source.read(0.0)
        assert first is not None
        assert second is not None
        assert (first.samples[0], first.gap, second.samples[0], second.gap) == (5, True, 6, False)
        sound.streams[0].give(np.zeros(160, np.float32), overflow=True)
        assert source.overflows == 6


def test_a_lost_device_is_silence_in_real_time_until_it_is_back(sound: FakeSoundDevice) -> None:
    headset = sound.plugged[2]
    with Microphone("headset") as source:
        sound.streams[0].give(tone(0.01))
        assert source.read(1.0) is not None
        started_s = time.monotonic()
        sound.plugged.remove(headset)
        sound.streams[0].vanish()
        wait_for(lambda: source.state == "lost")
        silence = 0
        while time.monotonic() < started_s + 1.0:
            block = source.read(0.1)
            assert block is not None
            assert not block.samples.any()
            assert block.captured_s <= time.monotonic()
            silence += len(block.samples)
        assert silence / 16_000 == pytest.approx(1.0, abs=0.2)
        # It comes back under another number, which only a fresh PortAudio knows.
        sound.plugged.append(headset | {"index": 7})
        wait_for(lambda: source.state == "live")
        assert sound.streams[-1].options["device"] == 7
        sound.streams[-1].give(tone(0.01), age_s=0.010)
        filled, back = source.read(1.0), source.read(1.0)
        assert filled is not None
        assert back is not None
        assert not filled.samples.any()
        assert back.gap
        assert np.array_equal(back.samples, tone(0.01))
        counted_s = (silence + len(filled.samples) + 160) / 16_000
        assert counted_s == pytest.approx(back.captured_s - started_s, abs=0.1)
        assert (source.reconnects, source.name) == (1, "USB Headset")


def test_a_device_that_falls_silent_without_a_word_is_lost_too(sound: FakeSoundDevice) -> None:
    with Microphone() as source:
        thread = threading.Thread(target=sound.streams[0].run, args=(0.8,))
        thread.start()
        end_s = time.monotonic() + 0.8
        while time.monotonic() < end_s:
            source.read(0.1)
        assert source.state == "live"
        thread.join()
        sound.plugged.clear()
        wait_for(lambda: source.state == "lost")


def test_portaudio_is_not_started_anew_under_the_feet_of_others(sound: FakeSoundDevice) -> None:
    with Microphone() as source:
        portaudio.stream_open(self := object())
        sound.plugged.clear()
        sound.streams[0].vanish()
        wait_for(lambda: source.state == "lost")
        time.sleep(0.2)
        assert sound.restarts == 0
        portaudio.stream_closed(self)
        wait_for(lambda: sound.restarts > 0)


def test_zeros_alone_are_called_silent(sound: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone, "SILENT_AFTER_S", 0.1)
    with Microphone() as source:
        time.sleep(0.15)
        sound.streams[0].give(np.zeros(160, np.float32))
        assert source.read(1.0) is not None
        assert source.state == "silent"
        sound.streams[0].give(tone(0.01))
        assert source.read(1.0) is not None
        assert source.state == "live"


def test_choosing(sound: FakeSoundDevice) -> None:
    assert portaudio.choose_input(None).name == "Webcam Mic"
    assert portaudio.choose_input("usb HEAD").index == 2
    assert portaudio.choose_input("2").index == portaudio.choose_input(2).index == 2
    for wanted in ("Speakers", 0, "9"):
        with pytest.raises(DeviceError, match=f"no microphone '{wanted}'. There are: 1 Webcam Mic; 2 USB Headset"):
            portaudio.choose_input(wanted)
    with pytest.raises(DeviceError, match="Several microphones fit 'e': 1 Webcam Mic; 2 USB Headset"):
        portaudio.choose_input("e")
    sound.devices.append(device(3, "USB Headset", api=1))
    assert portaudio.choose_input("usb headset").index == 2
    sound.devices.append(device(4, "USB Headset (2)"))
    assert portaudio.choose_input("usb headset").index == 2
    sound.default.device[0] = -1
    assert portaudio.choose_input(None).index == 1


def test_nothing_to_choose_from(sound: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    sound.devices.clear()
    with pytest.raises(DeviceError, match="No microphone was found"):
        Microphone()
    listed, missing = catalogue.list_devices()
    assert not [d for d in listed if d.kind == "microphone"]
    assert "No microphone was found" in next(m.reason for m in missing if m.kind == "microphone")

    def fail() -> None:
        raise PortAudioError("Internal error")

    monkeypatch.setattr(sound, "query_devices", fail)
    with pytest.raises(DeviceError, match="Internal error"):
        Microphone()


def test_a_refusal_says_what_to_try(sound: FakeSoundDevice) -> None:
    sound.takes = set()
    with pytest.raises(DeviceError, match=r"'Webcam Mic' cannot be opened \(Invalid sample rate\).*lsp-cam devices"):
        Microphone()
    assert [s for s in sound.streams if not s.closed] == []


def test_the_best_way_is_tried_first(sound: FakeSoundDevice) -> None:
    sound.takes = {(48_000, 2, "int16"), (16_000, 2, "float32"), (48_000, 1, "float32")}
    opened = Capture(portaudio.choose_input(2))
    assert (opened.rate_hz, sound.streams[0].options["channels"]) == (16_000, 2)
    opened.close()


def test_the_catalogue(sound: FakeSoundDevice) -> None:
    listed = [d for d in catalogue.list_devices()[0] if d.kind == "microphone"]
    assert [(d.id, d.name, d.is_default) for d in listed] == [("1", "Webcam Mic", True), ("2", "USB Headset", False)]
    assert [d.detail for d in listed] == ["48000 Hz, 1 channel", "48000 Hz, 2 channels"]


@pytest.mark.parametrize(
    ("failure", "said"),
    [(OSError("PortAudio not found"), "apt install libportaudio2"), (PortAudioError("no host"), "sound system")],
)
def test_without_portaudio(monkeypatch: pytest.MonkeyPatch, failure: Exception, said: str) -> None:
    class Refuse:
        def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
            if name == "sounddevice":
                raise failure

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refuse(), *sys.meta_path])
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DeviceError, match=said):
        Microphone()


def test_what_portaudio_prints_goes_to_the_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    import os

    caplog.set_level("DEBUG")
    with portaudio.quiet():
        os.write(2, b"ALSA lib confmisc.c: cannot find card '0'\n")
    assert capfd.readouterr().err == ""
    assert "cannot find card" in caplog.text
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"

"""Speech over bad lines, in the line's own time: no clock but the numbers here."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.call.gate import NoiseGate
from lsp_cam.call.opus import PAUSE_BYTES, TICKS, Config, OpusEncoder
from lsp_cam.call.playout import MAX_WAITING, Playout, Voiced
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32

Delay = Callable[[float, np.random.Generator], float]
Lost = Callable[[float, np.random.Generator], bool]
FIRST = 2**32 - 12_345  # timestamps wrap on the way


@pytest.fixture(scope="module")
def speech() -> Float32:
    samples = read_audio(sample_speech())
    return np.tile(samples, 1 + 12 * SAMPLE_RATE_HZ // len(samples))[: 12 * SAMPLE_RATE_HZ]


def steady(at_s: float, random: np.random.Generator) -> float:
    return 0.05


def none_lost(at_s: float, random: np.random.Generator) -> bool:
    return False


def heard(
    speech: Float32,
    delay: Delay = steady,
    lost: Lost = none_lost,
    ppm: float = 0.0,
    correct: bool = False,
    told: list[float] | None = None,
):
    """What is heard of `speech` over such a line, the playout, and how late (s) each 10 ms was read."""
    random = np.random.default_rng(7)
    config = Config()
    encoder, sent, sequence = OpusEncoder(config), [], 65_530
    encoder.correct(correct)
    for start in range(0, len(speech) - config.frame_samples, config.frame_samples):
        packet = encoder.encode(speech[start : start + config.frame_samples])
        if len(packet) <= PAUSE_BYTES:
            continue
        spoken_s = (start + config.frame_samples) / SAMPLE_RATE_HZ * (1 + ppm * 1e-6)
        if not lost(spoken_s, random):
            arrived_s = spoken_s + delay(spoken_s, random)
            sent.append(Voiced(sequence % 65_536, (FIRST + start * TICKS) % 2**32, packet, arrived_s))
        sequence += 1
    sent.sort(key=lambda packet: packet.arrived_s)
    playout, out, late_s = Playout(), [], []
    for tick in range(100 * len(speech) // SAMPLE_RATE_HZ):
        while sent and sent[0].arrived_s <= tick / 100:
            playout.hear(sent.pop(0))
        out.append(playout.next(tick / 100))
        if told is not None:
            told.append(playout.delay_s)
        late_s.append(tick / 100 - (playout._place or 0.0) / SAMPLE_RATE_HZ)
    return np.concatenate(out), playout, np.array(late_s[200:])


def likeness(out: Float32, speech: Float32) -> float:
    """The best correlation of loudness in 20 ms pieces, over all delays up to a second."""
    a, b = (np.sqrt(np.square(x[: len(x) // 320 * 320]).reshape(-1, 320).mean(1)) for x in (out, speech))
    return max(float(np.corrcoef(a[shift : len(b)], b[: len(b) - shift])[0, 1]) for shift in range(50))


def test_a_good_line_is_hardly_late(speech: Float32) -> None:
    out, playout, late_s = heard(speech)
    assert likeness(out, speech) > 0.95
    assert late_s.max() < 0.13, "50 ms of line, 40 ms of packet, and little else"
    assert (playout.late, playout.lost, playout.leaps, playout.refused) == (0, 0, 0, 0)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_lost_packets_are_made_up_for_by_the_next(speech: Float32, share: float) -> None:
    out, playout, _ = heard(speech, lost=lambda t, random: random.random() < share, correct=True)
    assert playout.lost > 5
    assert playout.recovered > 0.5 * playout.lost
    assert likeness(out, speech) > 0.85


def test_jitter_and_another_order_only_cost_time(speech: Float32) -> None:
    out, playout, late_s = heard(speech, delay=lambda t, random: 0.2 + random.uniform(-0.1, 0.1))
    assert playout.leaps == 0
    assert likeness(out[4 * SAMPLE_RATE_HZ :], speech[4 * SAMPLE_RATE_HZ :]) > 0.9, "once the delay is found"
    assert 0.25 < np.median(late_s) < 0.45


def test_an_outage_is_silent_and_what_follows_is_not_later_than_before(speech: Float32) -> None:
    out, playout, late_s = heard(speech, lost=lambda t, random: 4 < t < 8)
    assert np.abs(out[int(5.0 * SAMPLE_RATE_HZ) : int(7.9 * SAMPLE_RATE_HZ)]).max() < 0.02
    assert likeness(out[9 * SAMPLE_RATE_HZ :], speech[9 * SAMPLE_RATE_HZ :]) > 0.85
    assert playout.leaps == 0
    assert np.ptp(late_s) < 0.08


def test_clocks_that_drift_apart_stay_together(speech: Float32) -> None:
    _, playout, late_s = heard(speech, ppm=1000)
    assert (playout.leaps, playout.late) == (0, 0)
    assert np.ptp(late_s) < 0.03


def test_a_route_that_becomes_longer_is_followed_without_a_leap(speech: Float32) -> None:
    out, playout, late_s = heard(speech, delay=lambda t, random: 0.05 if t < 5 else 0.25)
    assert playout.leaps == 0
    assert late_s[-1] == pytest.approx(late_s[0] + 0.2, abs=0.08)
    assert likeness(out[8 * SAMPLE_RATE_HZ :], speech[8 * SAMPLE_RATE_HZ :]) > 0.85


def test_the_delay_is_what_it_is_and_not_what_it_is_to_become(speech: Float32) -> None:
    """While a longer route is being followed, too."""
    told: list[float] = []
    line_s = [0.05, 0.05 + Config().frame_ms / 1000]  # of the quickest packet, and from its first sample on
    _, _, late_s = heard(speech, delay=lambda t, random: line_s[0] if t < 5 else 0.45, told=told)
    np.testing.assert_allclose(told[200:], late_s - line_s[1], atol=0.03)


def test_a_reader_who_comes_late_hears_what_is_said_now(speech: Float32) -> None:
    """A portrait takes seconds to load; meanwhile packets come, and those of the beginning are past."""
    encoder, config, playout, out = OpusEncoder(), Config(), Playout(), []
    late_s = MAX_WAITING * config.frame_ms / 1000 + 5
    frames = np.tile(speech, 3)[: int((late_s + 4) * 1000 / config.frame_ms) * config.frame_samples]
    for number, frame in enumerate(frames.reshape(-1, config.frame_samples)):
        now_s = (number + 1) * config.frame_ms / 1000
        packet = encoder.encode(frame)
        if len(packet) > PAUSE_BYTES:
            playout.hear(Voiced(number, number * config.frame_samples * TICKS, packet, now_s))
        if now_s > late_s:
            out += [playout.next(now_s + tick / 100) for tick in range(config.frame_ms // 10)]
    heard = np.concatenate(out)
    assert playout.refused == 0
    assert likeness(heard[SAMPLE_RATE_HZ:], frames[-len(heard) :][SAMPLE_RATE_HZ:]) > 0.85


def test_garbage_is_refused_and_speech_goes_on(speech: Float32) -> None:
    encoder, config = OpusEncoder(), Config()
    playout, random = Playout(), np.random.default_rng(1)
    out = []
    for tick in range(400):
        if tick % 4 == 0:
            start = tick // 4 * config.frame_samples
            packet = encoder.encode(speech[start : start + config.frame_samples])
            playout.hear(Voiced(tick // 4, start * TICKS, packet, tick / 100))
        junk = random.bytes(int(random.integers(0, 1500)))
        playout.hear(Voiced(int(random.integers(65_536)), int(random.integers(2**32)), junk, tick / 100))
        out.append(playout.next(tick / 100))
        assert len(playout._waiting) <= MAX_WAITING
    assert playout.refused > 100
    assert np.isfinite(np.concatenate(out)).all()


def test_room_noise_is_a_pause_and_speech_is_not(speech: Float32) -> None:
    random = np.random.default_rng(3)
    noise = random.normal(0, 1e-3, 6 * SAMPLE_RATE_HZ).astype(np.float32)
    gate, encoder, config = NoiseGate(), OpusEncoder(), Config()
    sizes = [
        len(encoder.encode(gate.pass_on(noise[at : at + config.frame_samples])))
        for at in range(0, len(noise) - config.frame_samples, config.frame_samples)
    ]
    sent = [size for size in sizes[50:] if size > PAUSE_BYTES]
    assert sum(sent) * 8 / 4 < 2000, "at most 2 kbit/s in a quiet room"
    spoken = speech[: 2 * SAMPLE_RATE_HZ]
    passed = np.concatenate([gate.pass_on(spoken[at : at + 640]) for at in range(0, len(spoken), 640)])
    assert np.square(passed).sum() > 0.98 * np.square(spoken).sum()


def test_what_is_spoken_takes_16_kbit_at_most(speech: Float32) -> None:
    encoder, config = OpusEncoder(), Config()
    sizes = [
        len(encoder.encode(speech[at : at + config.frame_samples]))
        for at in range(0, len(speech) - config.frame_samples, config.frame_samples)
    ]
    assert sum(sizes) * 8 / (len(speech) / SAMPLE_RATE_HZ) <= 16_000

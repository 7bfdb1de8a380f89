"""The gate: open a little before speech and through it, closed soon after, and shut in every kind of noise."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import av
import numpy as np
import pytest

from lsp_cam.packets import SAMPLE_RATE_HZ, frame_start_sample
from lsp_cam.stages.listener import WINDOW_SAMPLES, Listener, ListenerState
from lsp_cam.stages.voice import VoiceStage
from lsp_cam.stream import chunked, run_offline
from tests.released import ENGINE

LOOK_AHEAD = 18


@pytest.fixture(scope="module")
def stage() -> VoiceStage:
    return VoiceStage(ENGINE, look_ahead_frames=LOOK_AHEAD)


def gates(stage: VoiceStage, audio: Any) -> Any:
    return np.array([f.gate for f in run_offline(stage, chunked(audio.astype(np.float32), 533))])


def seconds(duration_s: float) -> Any:
    return np.arange(int(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def hiss(rng: Any, duration_s: float, level: float) -> Any:
    return level * rng.standard_normal(len(seconds(duration_s)))


def breath(rng: Any, duration_s: float, level: float) -> Any:
    """Noise around 900 Hz that swells and ebbs."""
    noise = np.fft.rfft(hiss(rng, duration_s, 1.0))
    octaves = np.log2((np.arange(len(noise)) / duration_s + 1) / 900)
    shaped = np.fft.irfft(noise * np.exp(-(octaves**2) / 2.5), len(seconds(duration_s)))
    return level * shaped / np.abs(shaped).max() * np.hanning(len(shaped))


def breathing(rng: Any, level: float) -> Any:
    pause = np.zeros(14_000)
    return np.concatenate(
        [x for _ in range(3) for x in (breath(rng, 1.2, level), pause, breath(rng, 1.6, level), pause)]
    )


def typing(rng: Any, level: float) -> Any:
    audio, place = hiss(rng, 8, 5e-4), 0.2
    time = seconds(0.03)
    while place < 7.5:
        strike = rng.standard_normal(len(time)) * np.exp(-400 * time) + np.sin(2 * np.pi * 180 * time) * np.exp(
            -200 * time
        )
        first = int(place * SAMPLE_RATE_HZ)
        audio[first : first + len(time)] += level * rng.uniform(0.5, 1) * strike
        place += rng.uniform(0.08, 0.3)
    return audio


def chords(rng: Any, level: float) -> Any:
    """Plucked chords with overtones, a new one each 0.6 s."""
    time, parts = seconds(0.6), []
    for root in [220, 196, 174.6, 164.8] * 4:
        tones = [root * third * overtone for third in (1, 1.26, 1.5) for overtone in range(1, 7)]
        waves = [np.sin(2 * np.pi * hz * time + rng.uniform(0, 6)) / (1 + i % 6) ** 1.3 for i, hz in enumerate(tones)]
        parts.append(np.sum(waves, 0) * np.exp(-2.5 * time))
    audio = np.concatenate(parts)
    return level * audio / np.abs(audio).max()


NOISES = [(hiss_, level) for hiss_ in ("hiss",) for level in (0.003, 0.05)] + [
    (kind, level) for kind in ("breathing", "typing", "chords") for level in (0.05, 0.3)
]


@pytest.mark.parametrize(("kind", "level"), NOISES)
def test_noise_does_not_open_the_gate(stage: VoiceStage, kind: str, level: float) -> None:
    rng = np.random.default_rng(1)
    make = {"hiss": lambda r, x: hiss(r, 8, x), "breathing": breathing, "typing": typing, "chords": chords}[kind]
    assert not gates(stage, make(rng, level)).any()


def test_silence_stays_shut(stage: VoiceStage) -> None:
    assert not gates(stage, np.zeros(5 * SAMPLE_RATE_HZ)).any()


def recordings(shared: Any) -> list[Any]:
    """The first three seconds or so of one speaker in each corpus."""
    out = []
    for folder in sorted((shared / "data/speech").iterdir()):
        for file in sorted(folder.glob("*.opus"))[:2] if folder.is_dir() else []:
            resampler, parts = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ), []
            with av.open(str(file)) as container:
                for frame in container.decode(audio=0):
                    parts += [x.to_ndarray()[0] for x in resampler.resample(frame)]
                    if sum(map(len, parts)) > 3 * SAMPLE_RATE_HZ:
                        break
            out.append(np.concatenate(parts))
    return out


def test_speech_opens_the_gate_in_time_and_lets_it_close(stage: VoiceStage, shared: Any) -> None:
    rng, lead, closed, followed = np.random.default_rng(2), [], [], []
    for speech in recordings(shared):
        silence = np.zeros(20_000)
        audio = np.concatenate([silence, speech, silence])
        gate = gates(stage, audio + hiss(rng, len(audio) / SAMPLE_RATE_HZ, 3e-4)[: len(audio)])
        loud = np.array([np.sqrt(np.mean(x**2)) for x in _frames(audio, len(gate))])
        active = np.flatnonzero(loud > max(loud.max() * 0.025, 1e-3))
        assert gate.max() == 1
        assert not gate[: active[0] - 30].any()
        lead.append(active[0] - np.flatnonzero(gate == 1)[0])
        closed.append(np.flatnonzero(gate)[-1] + 1 - active[-1])
        followed.append(np.mean(gate[active] > 0.5))
    assert len(closed) >= 8
    assert max(closed) <= 18  # 300 ms
    assert np.median(lead) >= 2
    assert np.mean(followed) > 0.95


def _frames(audio: Any, count: int) -> list[Any]:
    return [audio[frame_start_sample(t) : frame_start_sample(t + 1)] for t in range(count)]


def test_the_gate_moves_smoothly(stage: VoiceStage, case_a: Any) -> None:
    silence = np.zeros(16_000)
    gate = gates(stage, np.concatenate([silence, case_a.expected["audio"], silence]))
    assert gate.max() == 1
    steps = np.diff(gate)
    assert np.abs(steps).max() < 0.3
    opening = np.flatnonzero(steps > 0)
    assert 4 <= np.flatnonzero(gate == 1)[0] - opening[0] <= 8  # about 100 ms


def test_a_frame_leaves_when_its_look_ahead_has_come(stage: VoiceStage) -> None:
    state, seen = stage.start(), 0
    for chunk in chunked(np.zeros(12_000, np.float32), 100):
        ready, state = stage.step(chunk, state)
        seen += len(ready)
        assert seen == max(0, int(np.floor(state.samples * 60 / SAMPLE_RATE_HZ + 1e-9)) - LOOK_AHEAD)
    rest, _ = stage.flush(state)
    assert seen + len(rest) == 45


@pytest.mark.parametrize("left_at", [0, 1, 40])
def test_a_listener_resumes_anywhere(case_a: Any, left_at: int) -> None:
    windows = case_a.expected["audio"][: 90 * WINDOW_SAMPLES].reshape(-1, WINDOW_SAMPLES)
    whole, other, state = Listener(ENGINE), Listener(ENGINE), ListenerState()
    other.hear(windows[3], ListenerState())
    for window in windows[:left_at]:
        whole.hear(window, state)
    carried = pickle.loads(pickle.dumps(copy.deepcopy(state)))
    rest = [whole.hear(window, state) for window in windows[left_at:]]
    assert [other.hear(window, carried) for window in windows[left_at:]] == rest
    assert max(rest) > 0.6

"""Endless streams: windows join without a seam, and truth stays beside its sound."""

import numpy as np
import pytest

from lsp_cam.train.lanes import Lanes, Spoken, at_tempo, vary_rows

LOOK_AHEAD = 18


@pytest.fixture
def spoken() -> list[Spoken]:
    """Utterances whose truth says how loud their two rows are."""
    rng = np.random.default_rng(0)
    level = [np.repeat(rng.uniform(0.2, 0.9, n), 2) for n in (30, 45, 70)]
    mels = [np.repeat(a[:, None], 80, axis=1).astype(np.float16) for a in level]
    return [Spoken(m, np.repeat(m[::2, :1], 75, axis=1)) for m in mels]


def lanes(spoken: list[Spoken], unknown: list[Spoken], unlabelled: int = 0) -> Lanes:
    return Lanes(spoken, unknown, 3, unlabelled, LOOK_AHEAD, [1, 2])


def test_windows_join_and_lie_beside_their_truth(spoken: list[Spoken], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_cam.train.lanes.vary_rows", lambda mel, rng: mel)
    monkeypatch.setattr("lsp_cam.train.lanes.TEMPO", (1.0, 1.0))
    short, whole = lanes(spoken, []), lanes(spoken, [])
    parts, one = [short.window(20, 3) for _ in range(4)], whole.window(80, 3)
    assert np.array_equal(np.concatenate([p.mel[:, :40] for p in parts], axis=1), one.mel[:, :160])
    assert np.array_equal(parts[0].mel[:, 40:], parts[1].mel[:, :3])
    truth = np.concatenate([p.truth[:, LOOK_AHEAD:] for p in parts], axis=1)
    assert np.array_equal(truth, one.truth[:, LOOK_AHEAD:])
    heard = one.mel[:, 0:160:2, 0]
    said = np.abs(heard - truth[..., 0]) < 0.01  # in the pauses the mouth keeps its place and the sound is noise
    assert said.mean() > 0.6
    assert np.array_equal(one.truth[:, :LOOK_AHEAD], np.repeat(one.truth[:, :1], LOOK_AHEAD, axis=1))


def test_the_last_lanes_have_no_truth(spoken: list[Spoken]) -> None:
    window = lanes(spoken, [Spoken(np.full((100, 80), 0.5, np.float16), None)], unlabelled=1).window(10, 3)
    assert window.mel.shape == (3, 23, 80)
    assert window.truth.shape == (2, LOOK_AHEAD + 10, 75)


def test_varied_rows_are_mel_rows_of_the_same_speech() -> None:
    mel = np.abs(np.random.default_rng(0).normal(0.5, 0.2, (200, 80))).astype(np.float32)
    varied = [vary_rows(mel, np.random.default_rng(seed)) for seed in range(12)]
    assert sum(np.array_equal(v, mel) for v in varied) in range(1, 8)
    assert all(v.min() >= 0 and v.max() < 2.5 and v.dtype == np.float32 for v in varied)
    assert len({float(v.mean()) for v in varied}) > 4


def test_a_moved_voice_keeps_its_place_in_time_and_moves_among_the_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    mel = np.full((100, 80), 0.1, np.float32)
    mel[40, 50] = 1.0
    seen = [vary_rows(mel, np.random.default_rng(seed)) for seed in range(30)]
    places = {tuple(int(k) for k in np.unravel_index(v.argmax(), v.shape)) for v in seen}
    assert {row for row, _ in places} == {40}
    bands = {band for _, band in places}
    assert min(bands) < 50 < max(bands)
    assert min(bands) >= 47
    assert max(bands) <= 53


@pytest.mark.parametrize("faster", [0.88, 1.0, 1.14])
def test_rows_and_mouth_change_tempo_together(faster: float) -> None:
    mel, truth = np.zeros((240, 80), np.float32), np.zeros((120, 75), np.float32)
    mel[160:162], truth[80] = 1.0, 5.0
    rows, mouth = at_tempo(mel, truth, faster)
    assert len(rows) == 2 * len(mouth) == 2 * round(120 / faster)
    assert abs((rows[:, 0].argmax() + 0.5) / 2 - (mouth[:, 0].argmax() + 0.5)) <= 0.5
    assert abs(mouth[:, 0].argmax() - 80 / faster) <= 1
    if faster == 1.0:
        assert np.array_equal(rows, mel)
        assert np.array_equal(mouth, truth)

"""Speech through codecs: what comes out is the same speech, in the same place, and not the same samples."""

import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.train.codec import CODECS, through_codec
from lsp_cam.train.corpus import decode


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return decode(sample_speech())[:48_000].astype(np.float32) / 32768


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_changes_speech_but_does_not_move_it(speech: np.ndarray, codec: str) -> None:
    coded = through_codec(speech, np.random.default_rng(0), codec)
    assert coded.shape == speech.shape
    assert coded.dtype == np.float32
    shifts = [np.corrcoef(coded[200 + k : -200 + k], speech[200:-200])[0, 1] for k in range(-40, 41)]
    assert abs(int(np.argmax(shifts)) - 40) <= 1  # a sixteenth of a millisecond
    assert 0.9 < max(shifts) < 0.9999


def test_chance_chooses_the_codec_and_is_seeded(speech: np.ndarray) -> None:
    seeds = (0, 0, *range(12))
    coded = [through_codec(speech[:16_000], np.random.default_rng(seed)) for seed in seeds]
    assert np.array_equal(coded[0], coded[1])
    assert len({c.tobytes() for c in coded}) >= 3


def test_silence_stays_silence() -> None:
    coded = through_codec(np.zeros(8000, np.float32), np.random.default_rng(0), "libopus")
    assert coded.shape == (8000,)
    assert np.abs(coded).max() < 1e-3

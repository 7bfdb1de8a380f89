"""Speech for tuning the encoder: faster and slower versions keep sound and mouth beside each other."""

import numpy as np
import pytest

from lsp_cam.train.demo_speech import at_tempo


@pytest.mark.parametrize("faster", [0.87, 1.15])
def test_sound_and_mouth_change_tempo_together(faster: float) -> None:
    frames, struck = 120, 80  # a click, and the mouth opens in the frame of the click
    audio = np.zeros(frames * 16_000 // 60, np.float32)
    audio[(2 * struck + 1) * 16_000 // 120] = 1.0
    truth = np.zeros((frames, 75), np.float32)
    truth[struck] = 5.0
    sound, mouth = at_tempo(audio, truth, faster)
    assert len(mouth) == round(frames / faster)
    assert abs(len(sound) - len(mouth) * 16_000 / 60) < 16_000 / 60
    heard = (np.abs(sound).argmax() * 60 / 16_000) - 0.5
    assert abs(mouth[:, 0].argmax() - heard) <= 1
    assert abs(mouth[:, 0].argmax() - struck / faster) <= 1

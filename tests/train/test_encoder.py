"""The stored speech encoder: what is read is what was written, and nothing else is taken for one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.assets import sample_speech
from lsp_cam.errors import ModelError
from lsp_cam.stages.mel import mel_rows
from lsp_cam.train.corpus import decode
from lsp_cam.train.encoder import fingerprint, load_encoder, save_encoder
from lsp_cam.train.features import encode
from lsp_cam.train.models.speech import SpeechEncoder


def test_round_trip_in_half_floats(tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = SpeechEncoder()
    save_encoder(tmp_path / "encoder.npz", encoder)
    again = load_encoder(tmp_path / "encoder.npz")
    assert not again.training
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value, atol=1e-4, rtol=1e-3)
    assert fingerprint(again) == fingerprint(encoder)
    assert fingerprint(again) != fingerprint(SpeechEncoder())


def test_what_is_no_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "encoder.npz"
    with pytest.raises(ModelError, match="missing or damaged"):
        load_encoder(path)
    path.write_bytes(b"not an archive")
    with pytest.raises(ModelError, match=r"damaged.*lsp-cam train speech"):
        load_encoder(path)
    np.savez(path, **{"rnns.0.weight_ih_l0": np.zeros((3, 80))})
    with pytest.raises(ModelError, match="of this form"):
        load_encoder(path)


def test_the_encoder_that_ships_foresees_speech_and_an_untrained_one_does_not() -> None:
    """A linear head on the features, fitted on one half of a recording, is tried on the other."""
    mel = mel_rows(decode(sample_speech()).astype(np.float32) / 32768)
    torch.manual_seed(0)
    shipped, untrained = (encode(encoder, [mel])[0] for encoder in (load_encoder(), SpeechEncoder().eval()))
    errors = [_foresight(given, mel) for given in (shipped, mel, untrained)]
    assert errors[0] < 0.98 * errors[1]
    assert errors[0] < 0.8 * errors[2]


def _foresight(given: np.ndarray, mel: np.ndarray) -> float:
    """L1 three rows ahead on the second half."""
    x, half = np.column_stack([given[:-3], np.ones(len(given) - 3)]), len(given) // 2
    learned, asked = slice(60, half), slice(half, None)
    head = np.linalg.solve(x[learned].T @ x[learned] + 10 * np.eye(x.shape[1]), x[learned].T @ mel[3:][learned])
    return float(np.abs(x[asked] @ head - mel[3:][asked]).mean())

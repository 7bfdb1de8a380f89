"""The stored speech encoder: what is read is what was written, and nothing else is taken for one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.errors import ModelError
from lsp_cam.stages.mel import mel_rows
from lsp_cam.train.encoder import fingerprint, load_encoder, save_encoder
from lsp_cam.train.evaluate.speakers import utterances
from lsp_cam.train.features import encode
from lsp_cam.train.models.speech import SpeechEncoder
from lsp_cam.train.synthetic import read_mouth_truth

LISTENING = 60  # rows that are only listened to, as states start empty


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


def test_the_encoder_that_ships_foresees_speech_and_an_untrained_one_does_not(shared: Path) -> None:
    """A linear head on the features, fitted on some utterances of speakers it never heard, is tried on others.

    Five minutes of them: a head with 512 inputs that is fitted on seconds tells of those seconds alone.
    """
    data = shared / "data"
    said = utterances(data / "speech", read_mouth_truth(data / "synthetic"), 100)
    mels = [mel for one in said if len(mel := mel_rows(one.samples)) > 2 * LISTENING]
    torch.manual_seed(0)
    shipped, untrained = (encode(encoder, mels) for encoder in (load_encoder(), SpeechEncoder().eval()))
    errors = [_foresight(given, mels) for given in (shipped, mels, untrained)]
    assert errors[0] < 0.98 * errors[1]
    assert errors[0] < 0.88 * errors[2]


def _foresight(given: Sequence[np.ndarray], mels: Sequence[np.ndarray]) -> float:
    """L1 three rows ahead, on every third utterance, of a head fitted on the others."""
    x = [np.column_stack([rows[LISTENING:-3], np.ones(len(rows) - LISTENING - 3)]) for rows in given]
    y = [rows[LISTENING + 3 :] for rows in mels]
    fitted = [k for k in range(len(x)) if k % 3]
    known, wanted = (np.concatenate([rows[k] for k in fitted]) for rows in (x, y))
    head = np.linalg.solve(known.T @ known + 10 * np.eye(known.shape[1]), known.T @ wanted)
    return float(np.abs(np.concatenate(x[::3]) @ head - np.concatenate(y[::3])).mean())

"""The stored speech encoder: what is read is what was written, and nothing else is taken for one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lsp_cam.errors import ModelError
from lsp_cam.train.encoder import fingerprint, load_encoder, save_encoder
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

"""The speech encoder that ships with the project, and how an encoder is stored: half floats, no pickle."""

import hashlib
import os
from pathlib import Path

import numpy as np
import torch

from lsp_cam.errors import ModelError
from lsp_cam.subject import npz_bytes
from lsp_cam.train.models.speech import SpeechEncoder

SHIPPED = Path(__file__).parents[1] / "assets" / "speech_encoder.npz"


def save_encoder(path: Path, encoder: SpeechEncoder) -> None:
    """Write the weights in half floats, whole or not at all."""
    state = {key: value.numpy().astype(np.float16) for key, value in encoder.state_dict().items()}
    partial = path.with_suffix(".partial")
    partial.write_bytes(npz_bytes(**state))
    os.replace(partial, path)


def load_encoder(path: Path | None = None) -> SpeechEncoder:
    """The encoder of `path`, or the one that ships, ready to encode; ModelError if it is missing or does not fit."""
    source = SHIPPED if path is None else path
    remedy = "Install lsp-cam again." if path is None else "Train it again: lsp-cam train speech FOLDER"
    try:
        with np.load(source, allow_pickle=False) as arrays:
            state = {key: torch.from_numpy(arrays[key].astype(np.float32)) for key in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"The speech encoder {source.name} is missing or damaged. {remedy}") from error
    encoder = SpeechEncoder()
    wanted = {key: tuple(value.shape) for key, value in encoder.state_dict().items()}
    if {key: tuple(value.shape) for key, value in state.items()} != wanted:
        raise ModelError(f"The file {source.name} does not hold a speech encoder of this form. {remedy}")
    encoder.load_state_dict(state)
    return encoder.eval()


def fingerprint(encoder: SpeechEncoder) -> str:
    """A short name for the weights, so that features that another encoder made are told apart."""
    digest = hashlib.sha256()
    for key, value in sorted(encoder.state_dict().items()):
        digest.update(key.encode() + value.numpy().astype(np.float16).tobytes())
    return digest.hexdigest()[:12]

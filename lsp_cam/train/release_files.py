"""The files of the authors' release, read without running anything that is in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import SubjectError
from ..stages.pictures import decode

Array = NDArray[Any]
Shape = tuple[int | None, ...]
_AGAIN = "Download the release again."


@dataclass(frozen=True)
class ReleaseFiles:
    """A folder of the release. Every method raises SubjectError, naming the file and what to do."""

    folder: Path

    def path(self, name: str) -> Path:
        """Where `name` is."""
        path = self.folder / name
        if not path.is_file():
            raise SubjectError(f"{path} is missing. Give the folder of one subject, whole, as the release has it.")
        return path

    def array(self, name: str, *shape: int | None) -> Array:
        """The array of a `.npy`."""
        try:
            with self.path(name).open("rb") as file:
                value = np.load(file, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise SubjectError(f"{self.folder / name} cannot be read: {error}. {_AGAIN}") from None
        return self._checked(name, value, shape)

    def archive(self, name: str, **wanted: Shape) -> dict[str, Array]:
        """Arrays of an `.npz` by name."""
        path, found = self.path(name), {}
        for key, shape in wanted.items():
            try:
                with path.open("rb") as file:
                    value = np.load(file, allow_pickle=False)[key]
            except Exception as error:  # the zip reader has types of its own
                raise SubjectError(f"{path}: '{key}' cannot be read: {error}. {_AGAIN}") from None
            found[key] = self._checked(f"{name}: '{key}'", value, shape)
        return found

    def matlab_number(self, name: str, key: str) -> float:
        """A number of a `.mat`."""
        path = self.path(name)
        try:
            value = scipy.io.loadmat(path, variable_names=[key])[key]
        except Exception as error:  # damaged files make the reader fail in many ways
            raise SubjectError(f"{path}: '{key}' cannot be read: {error}. {_AGAIN}") from None
        return float(self._checked(f"{name}: '{key}'", value, (1, 1))[0, 0])

    def picture(self, name: str, largest_px: int) -> tuple[bytes, Array]:
        """The bytes of a PNG or JPEG, and its pixels (H, W, 3) RGB."""
        data = self.path(name).read_bytes()
        try:
            return data, decode(data, largest_px)
        except ValueError as error:
            raise SubjectError(f"{self.folder / name} cannot be used: {error}. {_AGAIN}") from None

    def _checked(self, name: str, value: Any, shape: Shape) -> Array:
        fits = isinstance(value, np.ndarray) and value.ndim == len(shape)
        if not fits or any(w is not None and w != g for w, g in zip(shape, value.shape, strict=True)):
            raise SubjectError(f"{self.folder / name} has the shape {np.shape(value)}, not {shape}. {_AGAIN}")
        array = cast(Array, value)
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise SubjectError(f"{self.folder / name} holds values that are not finite numbers. {_AGAIN}")
        return array


def read_weights(path: Path, *prefixes: str) -> dict[str, Tensor]:
    """A state dict, its keys without `prefixes` (each taken off in turn where all keys have it). SubjectError."""
    if not path.is_file():
        raise SubjectError(f"{path} is missing. It comes with the authors' release; give where it is.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch fails in many ways; whatever it is, nothing of the file was run
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SubjectError(
            f"{path} is damaged, or holds more than plain weights, which are all that is read. {_AGAIN} ({reason})"
        ) from None
    if not isinstance(state, dict) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise SubjectError(f"{path} does not hold the weights of one network. {_AGAIN}")
    for prefix in prefixes:
        if all(key.startswith(prefix) for key in state):
            state = {key[len(prefix) :]: value for key, value in state.items()}
    return dict(state)

"""The picture: a generator turns the feature map, and what it keeps of the candidate images, into a frame (3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from ..backends.base import Array, Engine, Model
from ..errors import BundleError, ModelError, UsageError
from ..packets import FeatureMap, Float32, Frame
from ..subject import Subject
from .pictures import decode_square

CANDIDATES = 4
CANDIDATE_CHANNELS = 3 * CANDIDATES
MODEL, CONSTANTS_MODEL = "render.onnx", "render_constants.onnx"


@dataclass(frozen=True)
class RenderConfig:
    """Side of the square picture in pixels."""

    size: Annotated[int, Field(ge=32, le=2048)] = 512


class RenderStage:
    """FeatureMap -> Frame; keeps nothing, but its input buffer makes it no stage for two threads at a time."""

    def __init__(self, config: RenderConfig, model: Model) -> None:
        """`model` already holds whatever it takes besides the map."""
        self.config = config
        self._model = model
        size = config.size
        wanted = (("map", model.inputs, (1, 1, size, size)), ("frame", model.outputs, (1, 3, size, size)))
        for name, tensors, shape in wanted:
            if name not in tensors or tensors[name].shape != shape:
                found = tensors[name].shape if name in tensors else "missing"
                raise ModelError(f"The render network's '{name}' is {found}, not {shape}. Install the subject again.")
        self._map = np.zeros((1, 1, size, size), model.inputs["map"].dtype)

    @classmethod
    def from_subject(cls, subject: Subject, engine: Engine, candidates: Float32 | None = None) -> RenderStage:
        """`candidates` (1, 12, S, S) RGB in -1..1 take the place of the bundle's pictures.

        Raises BundleError, ModelError; UsageError if the renderer takes no candidates.
        """
        config = subject.config("render", RenderConfig)
        model = engine.load(subject.read(MODEL), f"{subject.name}/{MODEL}")
        if subject.has(CONSTANTS_MODEL):
            model.hold(_constants(subject, engine, config, model, candidates))
        elif candidates is not None:
            raise UsageError(f"{subject.name}'s renderer takes no candidate images. Leave them out.")
        return cls(config, model)

    def start(self) -> None:
        return None

    def step(self, x: FeatureMap, state: None) -> tuple[list[Frame], None]:
        return [self.render(x)], None

    def flush(self, state: None) -> tuple[list[Frame], None]:
        return [], None

    def render(self, x: FeatureMap) -> Frame:
        """The picture of a map."""
        made = self._run(x)
        if made.dtype != np.uint8:
            return Frame(x.frame, to_pixels(made))
        # Planes into pixels: three times as fast as numpy's transposed copy.
        return Frame(x.frame, np.asarray(cv2.merge(list(made[0])), np.uint8))

    def generate(self, x: FeatureMap) -> Float32:
        """The generator's output (1, 3, S, S) in -1..1 for a map; valid until the next call."""
        made = self._run(x)
        picture = made.astype(np.float32, copy=False)
        return picture / np.float32(127.5) - np.float32(1) if made.dtype == np.uint8 else picture

    def _run(self, x: FeatureMap) -> Array:
        """What the network gives: levels 0..255 if they are uint8, and otherwise -1..1."""
        np.multiply(x.pixels, np.float32(1 / 255), out=self._map[0, 0], casting="same_kind")
        return self._model.run({"map": self._map})["frame"]


def to_pixels(picture: Float32) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """RGB (S, S, 3) uint8 of a picture (1, 3, S, S) in -1..1; fractions are cut off, as published."""
    levels = picture[0] + np.float32(1)
    levels *= np.float32(127.5)
    np.clip(levels, 0, 255, out=levels)
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(1, 2, 0))


def _constants(
    subject: Subject, engine: Engine, config: RenderConfig, model: Model, candidates: Float32 | None
) -> dict[str, Array]:
    pictures = read_candidates(subject, config.size) if candidates is None else candidates
    if pictures.shape != (1, CANDIDATE_CHANNELS, config.size, config.size):
        raise UsageError(
            f"The candidates have the shape {pictures.shape}; {subject.name} is {config.size} pixels wide."
        )
    maker = engine.load(subject.read(CONSTANTS_MODEL), f"{subject.name}/{CONSTANTS_MODEL}")
    if set(maker.inputs) != {"candidates"} or maker.inputs["candidates"].shape != pictures.shape:
        raise ModelError(f"{subject.name}: {CONSTANTS_MODEL} does not take 4 pictures. Install the subject again.")
    for name, spec in maker.outputs.items():
        if name not in model.inputs or model.inputs[name].shape != spec.shape:
            raise ModelError(f"{subject.name}: {CONSTANTS_MODEL} and {MODEL} do not fit together ('{name}').")
    if set(model.inputs) != {"map", *maker.outputs}:
        raise ModelError(f"{subject.name}: {MODEL} takes more than {CONSTANTS_MODEL} gives. Install the subject again.")
    made = maker.run({"candidates": pictures.astype(maker.inputs["candidates"].dtype)})
    return {name: value.astype(model.inputs[name].dtype) for name, value in made.items()}


def read_candidates(subject: Subject, size: int) -> Float32:
    """The bundle's candidate images side by side in the channels: (1, 12, size, size) RGB in -1..1."""
    channels = []
    for index in range(CANDIDATES):
        names = [n for n in (f"candidates/{index}.{kind}" for kind in ("png", "jpg", "webp")) if subject.has(n)]
        if not names:
            raise BundleError(f"{subject.name}: the bundle has no candidates/{index}.png. Install the bundle again.")
        picture = decode_square(subject.read(names[0]), size, f"{subject.name}: {names[0]}")
        channels.append((picture.astype(np.float32) / 255 - 0.5) / 0.5)
    return np.ascontiguousarray(np.concatenate(channels, axis=2).transpose(2, 0, 1)[None], np.float32)

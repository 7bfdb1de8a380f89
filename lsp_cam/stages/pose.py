"""Head motion from speech and its own past, sampled from a Gaussian for each frame (section 3.3).

The published code runs the network over its whole receptive field (255 frames) for each frame. Here every layer keeps
the inputs that it will see again, so that a step computes one column; the answers are the same. In that code pose i
sees speech up to frame i + 15 and poses up to i - 1, laid side by side: speech frames 0 .. 14 are heard beside poses of
zero and their answers dropped, and before them stands speech frame 0 for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ..backends.base import Engine, Model
from ..packets import Float32, GatesFrame, PoseFrame
from ..subject import Subject
from .network import load_network

POSE = 12
RAW = 1 + 2 * POSE
CHANNELS = 128
DILATIONS = (1, 2, 4, 8, 16, 32, 64) * 2
GATES = (len(DILATIONS), 2 * CHANNELS)
COLUMNS = (len(DILATIONS), CHANNELS)
CACHE_ROWS = sum(DILATIONS)
_STEPS = np.array(DILATIONS)
_FIRST = np.cumsum(_STEPS) - _STEPS  # where each layer's rows begin in the cache

# A head turns by degrees and moves by a part of its size. What is far outside cannot be meant, and as the network
# hears its own answers it would not come back from it.
LARGEST = 1000.0
LARGEST_LOG_SIGMA = 10.0


@dataclass(frozen=True)
class PoseConfig:
    """Frames of speech heard ahead; what sigma is multiplied by when sampling (0: always the mean)."""

    look_ahead_frames: Annotated[int, Field(ge=0, le=60)] = 15
    sigma_scale: Annotated[float, Field(ge=0, le=10)] = 0.3


@dataclass(slots=True)
class PoseState:
    """What the layers saw, a ring of `dilation` rows each (`cache` (254, 128)); the pose before (`history` (1, 12));
    frames heard, and the gates (14, 256) of the last. `liveliness`: a factor on the config's sigma_scale."""

    random: np.random.Generator
    cache: Float32 = field(default_factory=lambda: np.zeros((CACHE_ROWS, CHANNELS), np.float32))
    heard: int = 0
    gates: Float32 | None = None
    history: Float32 = field(default_factory=lambda: np.zeros((1, POSE), np.float32))
    liveliness: float = 1.0


class PoseStage:
    """GatesFrame -> PoseFrame; frame t leaves when frame t + look_ahead_frames has come.

    pad_tail: at the end hear the last frame over and over, so that there are as many poses as frames; without it
    (published) the last look_ahead_frames have none.
    """

    def __init__(self, model: Model, config: PoseConfig, seed: int = 0, *, pad_tail: bool) -> None:
        self._model = model
        self._seed = seed
        self._pad_tail = pad_tail
        self.config = config

    @classmethod
    def from_subject(
        cls, subject: Subject, engine: Engine, *, seed: int = 0, sigma_scale: float | None = None, pad_tail: bool
    ) -> PoseStage:
        """The subject's head; sigma_scale None: the subject's own. BundleError or ModelError if it does not fit."""
        inputs = {"gates": GATES, "history": (1, POSE), "past": COLUMNS}
        outputs = {"raw": (1, RAW), "columns": COLUMNS}
        model = load_network(subject, engine, "pose.onnx", inputs, outputs)
        config = subject.config("pose", PoseConfig)
        if sigma_scale is not None:
            config = PoseConfig(config.look_ahead_frames, sigma_scale)
        return cls(model, config, seed, pad_tail=pad_tail)

    def start(self) -> PoseState:
        return PoseState(np.random.default_rng(self._seed))

    def step(self, x: GatesFrame, state: PoseState) -> tuple[list[PoseFrame], PoseState]:
        state.gates = x.gates
        if state.heard == 0:
            self._settle(x.gates, state)
        return self._roll(x.gates, state), state

    def flush(self, state: PoseState) -> tuple[list[PoseFrame], PoseState]:
        out: list[PoseFrame] = []
        if self._pad_tail and state.gates is not None:
            for _ in range(self.config.look_ahead_frames):
                out += self._roll(state.gates, state)
        return out, state

    def _settle(self, gates: Float32, state: PoseState) -> None:
        """Fill the cache as if the speech of `gates` (14, 256) had been heard for ever, beside poses of zero.

        Then every layer's input is one constant column, right as soon as the layers before it are settled.
        """
        for layer, (first, dilation) in enumerate(zip(_FIRST, DILATIONS, strict=True)):
            _, columns = self._column(gates, state.history, state.cache[_FIRST])
            state.cache[first : first + dilation] = columns[layer]

    def _column(self, gates: Float32, history: Float32, past: Float32) -> tuple[Float32, Float32]:
        """`raw` (1, 25) for gates (14, 256), and what every layer saw (14, 128)."""
        got = self._model.run({"gates": gates, "history": history, "past": past})
        return got["raw"], got["columns"]

    def _roll(self, gates: Float32, state: PoseState) -> list[PoseFrame]:
        """One step; no pose yet while speech is only listened to."""
        slots = _FIRST + state.heard % _STEPS
        raw, columns = self._column(gates, state.history, state.cache[slots])
        state.cache[slots] = columns
        frame = state.heard - self.config.look_ahead_frames
        state.heard += 1
        if frame < 0:
            return []
        sample = self._sample(raw[0], state.random, state.liveliness)
        state.history = sample[None]
        return [PoseFrame(frame, sample, raw[0])]

    def _sample(self, raw: Float32, random: np.random.Generator, liveliness: float) -> Float32:
        """A pose (12,) from `raw` (25,): the mean, plus the scaled sigma times normal noise."""
        told = raw.astype(np.float64)
        sigma: NDArray[np.float64] = np.exp(np.minimum(-told[1 + POSE :], LARGEST_LOG_SIGMA))
        sigma *= random.standard_normal(POSE)
        sigma *= liveliness * self.config.sigma_scale
        sample = told[1 : 1 + POSE] + sigma
        if not sample @ sample <= LARGEST**2:  # nor is it if it is no number
            sample = np.clip(np.nan_to_num(sample, posinf=LARGEST, neginf=-LARGEST), -LARGEST, LARGEST)
        return sample.astype(np.float32)

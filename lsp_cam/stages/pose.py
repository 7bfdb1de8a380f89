"""Head motion from projected speech and its own past, sampled from a Gaussian for each frame (section 3.3).

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

from ..backends.base import Engine, Model, ModelState, step_model, zero_state
from ..packets import BLOCK_FRAMES, Float32, PoseFrame, ProjectedFrame
from ..subject import Subject
from .network import load_network
from .speech import FEATURES

POSE = 12
RAW = 1 + 2 * POSE
CHANNELS = 128
DILATIONS = (1, 2, 4, 8, 16, 32, 64) * 2
CACHE_ROWS = sum(DILATIONS)
GATES = (len(DILATIONS), 2 * CHANNELS)

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
    """Past layer inputs (`network`), the pose before (`history` (1, 12)), frames heard, and features (2F,): those last
    come, and those that wait for a partner."""

    network: ModelState
    random: np.random.Generator
    heard: int = 0
    features: Float32 | None = None
    waiting: Float32 | None = None
    history: Float32 = field(default_factory=lambda: np.zeros((1, POSE), np.float32))


class PoseStage:
    """ProjectedFrame -> PoseFrame; frame t leaves when frame t + look_ahead_frames and its partner have come.

    speech: `pose_speech.onnx`, what speech adds inside the gates, two frames at once; model: `pose.onnx`.
    pad_tail: at the end hear the last frame over and over, so that there are as many poses as frames; without it
    (published) the last look_ahead_frames have none.
    """

    def __init__(self, speech: Model, model: Model, config: PoseConfig, seed: int = 0, *, pad_tail: bool) -> None:
        self._speech = speech
        self._model = model
        self._seed = seed
        self._pad_tail = pad_tail
        self.config = config

    @classmethod
    def from_subject(
        cls, subject: Subject, engine: Engine, *, seed: int = 0, sigma_scale: float | None = None, pad_tail: bool
    ) -> PoseStage:
        """The subject's head; sigma_scale None: the subject's own. BundleError or ModelError if it does not fit."""
        cache = (CACHE_ROWS, CHANNELS)
        heard, added = {"features": (BLOCK_FRAMES, 2 * FEATURES)}, {"gates": (BLOCK_FRAMES, *GATES)}
        speech = load_network(subject, engine, "pose_speech.onnx", heard, added)
        inputs = {"gates": GATES, "history": (1, POSE), "cache_in": cache}
        outputs = {"raw": (1, RAW), "cache_out": cache}
        # Its products are too small to share: waking a second thread costs what it brings.
        model = load_network(subject, engine, "pose.onnx", inputs, outputs, most_threads=1)
        config = subject.config("pose", PoseConfig)
        if sigma_scale is not None:
            config = PoseConfig(config.look_ahead_frames, sigma_scale)
        return cls(speech, model, config, seed, pad_tail=pad_tail)

    def start(self) -> PoseState:
        return PoseState(zero_state(self._model), np.random.default_rng(self._seed))

    def step(self, x: ProjectedFrame, state: PoseState) -> tuple[list[PoseFrame], PoseState]:
        state.features = x.rows.reshape(-1)
        return self._hear(state.features, state), state

    def flush(self, state: PoseState) -> tuple[list[PoseFrame], PoseState]:
        out: list[PoseFrame] = []
        if self._pad_tail and state.features is not None:
            for _ in range(self.config.look_ahead_frames):
                out += self._hear(state.features, state)
        if state.waiting is not None:
            out += self._roll(self._gates(state.waiting, state.waiting)[:1], state)
            state.waiting = None
        return out, state

    def _hear(self, features: Float32, state: PoseState) -> list[PoseFrame]:
        first, state.waiting = state.waiting, features
        if first is None:
            return []
        state.waiting = None
        gates = self._gates(first, features)
        if state.heard == 0:
            self._settle(gates[0], state)
        return self._roll(gates, state)

    def _gates(self, first: Float32, second: Float32) -> Float32:
        """What the speech of two frames adds inside the gates: (2, 14, 256)."""
        gates: Float32 = self._speech.run({"features": np.stack([first, second])})["gates"]
        return gates

    def _settle(self, gates: Float32, state: PoseState) -> None:
        """Fill the cache as if the speech of `gates` (14, 256) had been heard for ever, beside poses of zero.

        Then every layer's input is one constant column, right as soon as the layers before it are settled.
        """
        end = 0
        for dilation in DILATIONS:
            _, heard = step_model(self._model, {"gates": gates, "history": state.history}, state.network)
            end += dilation
            state.network["cache"][end - dilation : end] = heard["cache"][end - 1]

    def _roll(self, gates: Float32, state: PoseState) -> list[PoseFrame]:
        """One step for each of gates (n, 14, 256)."""
        out: list[PoseFrame] = []
        for one in gates:
            got, state.network = step_model(self._model, {"gates": one, "history": state.history}, state.network)
            frame = state.heard - self.config.look_ahead_frames
            state.heard += 1
            if frame >= 0:
                raw = got["raw"][0]
                sample = self._sample(raw, state.random)
                state.history = sample[None]
                out.append(PoseFrame(frame, sample, raw))
        return out

    def _sample(self, raw: Float32, random: np.random.Generator) -> Float32:
        """A pose (12,) from `raw` (25,): the mean, plus the scaled sigma times normal noise."""
        mean, sharpness = raw[1 : 1 + POSE], raw[1 + POSE :]
        sigma: NDArray[np.float64] = np.exp(np.minimum(-sharpness.astype(np.float64), LARGEST_LOG_SIGMA))
        sample = mean + self.config.sigma_scale * sigma * random.standard_normal(POSE)
        return np.clip(np.nan_to_num(sample, posinf=LARGEST, neginf=-LARGEST), -LARGEST, LARGEST).astype(np.float32)

"""Whether somebody speaks: a gate that lets the mouth follow speech, and keeps it closed in silence and noise.

The mouth answers for a frame 300 ms late, so the gate knows what comes: it opens before the speech begins, and stays
open over the short silences within it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..backends.base import Engine
from ..packets import AudioChunk, Float32, VoiceFrame, frame_start_sample, frames_in
from .listener import WINDOW_SAMPLES, Listener, ListenerState

ON, OFF = 0.6, 0.35  # probabilities: a run of speech begins at one and lasts down to the other
SHORTEST_RUN = 3  # windows: clicks and bangs are shorter
LEAD_SAMPLES = 2400  # the gate is open this long before speech is found (150 ms; finding it takes about 50)
RAMP_FRAMES = 6


@dataclass(slots=True)
class Run:
    """Windows first .. end - 1 in which somebody spoke."""

    first: int
    end: int


@dataclass(slots=True)
class VoiceState:
    """`pending`: samples not yet heard; `runs`: those that frames to come may see, the last maybe still going on."""

    listener: ListenerState = field(default_factory=ListenerState)
    pending: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    runs: list[Run] = field(default_factory=list)
    speaking: bool = False
    frame: int = 0
    samples: int = 0


class VoiceStage:
    """AudioChunk -> VoiceFrame; frame t leaves when the audio up to frame t + look_ahead_frames has come."""

    def __init__(self, engine: Engine, *, look_ahead_frames: int) -> None:
        self._look_ahead = look_ahead_frames
        self._listener = Listener(engine)
        rising = np.hanning(RAMP_FRAMES + 3)[1:-1]  # running sums of it are the raised cosine that the gate moves along
        self._ramp = rising / rising.sum()

    def start(self) -> VoiceState:
        return VoiceState()

    def step(self, x: AudioChunk, state: VoiceState) -> tuple[list[VoiceFrame], VoiceState]:
        state.pending = np.concatenate([state.pending, x.samples])
        state.samples += len(x.samples)
        out = []
        while frame_start_sample(state.frame + self._look_ahead + 1) <= state.samples:
            out.append(self._answer(state))
        return out, state

    def flush(self, state: VoiceState) -> tuple[list[VoiceFrame], VoiceState]:
        return [self._answer(state) for _ in range(state.frame, frames_in(state.samples))], state

    def _answer(self, state: VoiceState) -> VoiceFrame:
        """The next frame, from exactly the windows that its look-ahead holds, however much has come."""
        horizon = min(frame_start_sample(state.frame + self._look_ahead + 1), state.samples)
        while (state.listener.heard + 1) * WINDOW_SAMPLES <= horizon:
            self._hear(state)
        half = len(self._ramp) // 2
        wanted = [self._wanted(state.frame + k, state) for k in range(-half, half + 1)]
        gate = float(self._ramp @ wanted) if not all(wanted) else 1.0
        frame = VoiceFrame(state.frame, gate)
        state.frame += 1
        return frame

    def _hear(self, state: VoiceState) -> None:
        number = state.listener.heard
        window, state.pending = state.pending[:WINDOW_SAMPLES].copy(), state.pending[WINDOW_SAMPLES:]
        probability = self._listener.hear(window, state.listener)
        if not state.speaking and probability >= ON:
            state.speaking = True
            state.runs.append(Run(number, number))
        elif probability < OFF:
            state.speaking = False
        if state.speaking:
            state.runs[-1].end = number + 1
        oldest = state.frame - RAMP_FRAMES
        state.runs = [r for r in state.runs if frame_start_sample(max(oldest, 0)) <= _samples(r.end)]

    def _wanted(self, frame: int, state: VoiceState) -> bool:
        """Whether the gate should be open at `frame`: somebody speaks then, or soon."""
        now = frame_start_sample(frame)
        return any(
            _samples(run.first) - LEAD_SAMPLES <= now < _samples(run.end)
            for run in state.runs
            if run.end - run.first >= SHORTEST_RUN
        )


def _samples(window: int) -> int:
    return window * WINDOW_SAMPLES

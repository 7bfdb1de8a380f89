"""The two ends of a line: the other side's voice as a microphone, and our microphone into the line."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ..devices.base import BLOCK_SAMPLES, AudioBlock, AudioSource, Closing, SourceState
from ..devices.pace import Pacer
from ..packets import SAMPLE_RATE_HZ, Float32
from .gate import NoiseGate
from .head import OwnHead
from .line import Line
from .opus import PAUSE_BYTES, TICKS, Config, OpusEncoder
from .playout import Playout

LOST_AFTER_S = 3.0
"""Pauses are told of every 0.4 s; nothing at all for so long is a line that is down."""
LOSSY, CLEAN = 0.02, 0.005
MAX_GAP_S = 60.0
POLL_S = 0.1


class FarVoice(Closing):
    """What the other side says, as one more kind of microphone (see `devices.base.AudioSource`).

    It keeps the machine's time: jitter, losses and the other side's clock are `Playout`'s.
    """

    reconnects = 0
    name = "the other side of the call"

    def __init__(self, playout: Playout, line: Line) -> None:
        self._playout, self._line = playout, line
        self._pacer = Pacer()
        self._closed = False
        self._now_s: float | None = None

    @property
    def state(self) -> SourceState:
        if self._closed or not self._line.is_open:
            return "ended"
        heard_s = self._playout.heard_s
        if heard_s is None or self._now_s is None:
            return "silent"
        return "lost" if self._now_s - heard_s > LOST_AFTER_S else "live"

    @property
    def overflows(self) -> int:
        return self._pacer.overflows

    def read(self, timeout_s: float) -> AudioBlock | None:
        """The next 10 ms, when they are due."""
        if self.state == "ended":
            return None
        due = self._pacer.wait(BLOCK_SAMPLES, timeout_s)
        if due is None or self._closed:
            return None
        self._now_s = due.captured_s
        poses = self._playout.head.take(self._playout.after)
        speech = self._playout.next(due.captured_s)
        return AudioBlock(speech, due.captured_s, due.skipped_samples > 0, poses)

    def close(self) -> None:
        self._closed = True


def speak_into(
    line: Line, source: AudioSource, config: Config, is_muted: Callable[[], bool], head: OwnHead, stop: threading.Event
) -> None:
    """Pack what the microphone hears and send it, until the line, the microphone or the call ends.

    Timestamps count the microphone's samples, those that it lost among them. Pauses are not sent. `head`: our own,
    told of beside the speech while it is steered.
    """
    encoder, gate = OpusEncoder(config), NoiseGate()
    pending = np.zeros(0, np.float32)
    at, captured_s = 0, None
    while not stop.is_set() and line.is_open:
        block = source.read(POLL_S)
        if block is None and source.state == "ended":
            return
        if block is None:
            continue
        if block.gap and captured_s is not None:
            missing_s = block.captured_s - captured_s - len(block.samples) / SAMPLE_RATE_HZ
            at += max(int(min(missing_s, MAX_GAP_S) * SAMPLE_RATE_HZ), 0)
        captured_s = block.captured_s
        heard = np.clip(np.nan_to_num(block.samples), -1, 1)
        pending = np.concatenate([pending, np.zeros_like(heard) if is_muted() else heard])
        if line.loss > LOSSY or line.loss < CLEAN:
            encoder.correct(line.loss > LOSSY)
        while len(pending) >= config.frame_samples:
            frame, pending = pending[: config.frame_samples], pending[config.frame_samples :]
            _send(line, encoder, gate.pass_on(frame), at)
            at += config.frame_samples
            for packet in head.until(at):
                line.move(packet)


def _send(line: Line, encoder: OpusEncoder, frame: Float32, at: int) -> None:
    packet = encoder.encode(frame)
    if len(packet) > PAUSE_BYTES:
        line.send(packet, at * TICKS % (1 << 32))

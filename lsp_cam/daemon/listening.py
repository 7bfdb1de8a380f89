"""From the microphone to what is due to be rendered: the capture and the motion worker."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..devices.base import AudioBlock, AudioSource
from ..packets import AS_MADE, MOTION_FPS, SAMPLE_RATE_HZ, LandmarkFrame, Manner, PoseKey
from ..stages.guide import MAX_KEYS
from ..stages.steer import Steering
from .clock import AudioClock
from .memory import AS_EVER, Liking
from .pacing import DuePictures, is_due
from .recording import Recording
from .show import Due, History, Show
from .stats import Lately, Ring

POLL_S = 0.1
QUEUED_BLOCKS = 16
SILENCE_DBFS = -120.0
LOUDEST = 4.0  # a mix of channels may pass 1; what is far beyond is a fault

Blocks = queue.Queue[AudioBlock | None]


def capture(source: AudioSource, blocks: Blocks, lost: Lately, stop: threading.Event) -> None:
    """Hand on every block; None when the source has ended. A full queue waits: the source counts what it drops, and
    `lost` notes it."""
    while not stop.is_set():
        block = source.read(POLL_S)
        lost.note(source.overflows)
        if block is None and source.state != "ended":
            continue
        while not stop.is_set():
            try:
                blocks.put(block, timeout=POLL_S)
                break
            except queue.Full:
                continue
        if block is None:
            return


class Listener:
    """Who speaks now, and what was asked of them; requests are met between two blocks by the motion worker."""

    def __init__(
        self, show: Show, fps: int, due: DuePictures[Due], clock: AudioClock, recording: Recording | None = None
    ) -> None:
        self.show = show
        self.recording = recording
        self.fps = fps
        self.due = due
        self.clock = clock
        self.history = History()
        self.muted = False
        self.steering = Steering()
        self.manner = AS_MADE
        self._incoming: tuple[Show, Liking] | None = None
        self._requests: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._powers = Ring(30)
        self._keys: deque[PoseKey] = deque(maxlen=MAX_KEYS)  # for who takes over

    @property
    def level_dbfs(self) -> float:
        """Loudness of the last 0.3 s as it was captured, whether or not it is muted."""
        powers = self._powers.values()
        mean = float(powers.mean()) if powers.size else 0.0
        return max(10 * math.log10(mean), SILENCE_DBFS) if mean > 0 else SILENCE_DBFS

    def enter(self, show: Show, liking: Liking = AS_EVER) -> None:
        """Let another subject, and how it is liked, take over at the next block; it has heard the last seconds."""
        self._requests.put(lambda: setattr(self, "_incoming", (show, liking)))

    def steer(self, steering: Steering) -> None:
        """Put the head, of this subject and of later ones, under `steering`."""
        self.steering = steering
        self._requests.put(lambda: self.show.steer(steering))

    def behave(self, manner: Manner) -> None:
        """Let this subject do things in `manner`."""
        self.manner = manner
        self._requests.put(lambda: self.show.behave(manner))

    def hear(self, block: AudioBlock) -> None:
        """Step the chain over a block and say which pictures have become due."""
        # A driver may give what is no number; one of them would stay in the recurrent networks for ever.
        heard = np.clip(np.nan_to_num(block.samples, nan=0.0, posinf=0.0, neginf=0.0), -LOUDEST, LOUDEST)
        self._powers.add(float(np.square(heard).mean()))
        samples = np.zeros_like(heard) if self.muted else heard
        began = self.history.end
        self.history.add(samples)
        if self.recording is not None:
            self.recording.hear(samples)
        self.clock.heard(self.history.end, block.captured_s, block.gap)
        while not self._requests.empty():
            self._requests.get()()
        for key in block.poses:
            self._follow(replace(key, at=(began + key.at) * MOTION_FPS // SAMPLE_RATE_HZ))
        if self._incoming is not None and self._incoming[0].heard <= self.history.end:
            frames = self._change(*self._incoming)
        else:
            frames = self.show.hear(samples)
        self._announce(frames)

    def finish(self) -> None:
        """The speech is over: show what was held back for more of it."""
        self._announce(self.show.finish())

    def _follow(self, key: PoseKey) -> None:
        self._keys.append(key)
        self.show.follow(key)

    def _change(self, show: Show, liking: Liking) -> list[LandmarkFrame]:
        shown = self.show.last_frame
        self.steering, self.manner = liking.steering or self.steering, liking.manner
        show.steer(self.steering)
        show.behave(self.manner)
        for key in self._keys:
            show.follow(key)
        self.show, self._incoming = show, None
        frames = [f for f in show.hear(self.history.since(show.heard)) if f.frame > shown]
        show.on_air.set()
        return frames

    def _announce(self, frames: list[LandmarkFrame]) -> None:
        for frame in frames:
            if is_due(frame.frame, self.fps):
                self.due.put(Due(self.show.pipeline, frame, time.monotonic()))


def motion(blocks: Blocks, listener: Listener, ended: Callable[[], None], stop: threading.Event) -> None:
    """Step the chain over every block until the speech or the daemon ends."""
    while not stop.is_set():
        try:
            block = blocks.get(timeout=POLL_S)
        except queue.Empty:
            continue
        if block is None:
            listener.finish()
            ended()
            return
        listener.hear(block)

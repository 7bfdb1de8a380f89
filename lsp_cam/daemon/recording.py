"""A video file as the camera: its speech in step with its pictures, which are later than what was captured."""

from __future__ import annotations

from collections import deque

import numpy as np

from ..devices.videofile import VideoFileSink
from ..packets import SAMPLE_RATE_HZ, Float32, frame_start_sample

MAX_WAITING_BLOCKS = 3000


class Recording:
    """Holds the speech back by as much as the first moving picture was late.

    The motion worker calls `hear`, the camera worker `shown`.
    """

    def __init__(self, sink: VideoFileSink, fps: int) -> None:
        self._sink = sink
        self._fps = fps
        self._heard: deque[Float32] = deque(maxlen=MAX_WAITING_BLOCKS)
        self._aligned = False

    def hear(self, samples: Float32) -> None:
        """The speech that follows."""
        self._heard.append(samples)

    def shown(self, frame: int | None) -> None:
        """The file has one more picture; it shows motion frame `frame` (None: the idle portrait)."""
        if not self._aligned and frame is not None:
            self._align(frame)
        pieces = [self._heard.popleft() for _ in range(len(self._heard))] if self._aligned else []
        if pieces:
            self._sink.add_speech(np.concatenate(pieces))

    def _align(self, frame: int) -> None:
        """Silence before the speech, so that the speech of `frame` sounds with the picture just written."""
        lead = (self._sink.frames - 1) * SAMPLE_RATE_HZ // self._fps - frame_start_sample(frame)
        if lead > 0:
            self._sink.add_speech(np.zeros(lead, np.float32))
        self._aligned = True

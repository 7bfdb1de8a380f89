"""From packets as they come to speech as it is heard: sorted, as late as need be, gaps concealed, clocks together.

Everything is counted in the sender's samples (16 kHz). A packet can be played once it is there, so the delay is what
all but a few of the last packets needed. The place that is read moves towards the place that is due by reading a
little faster or slower, which makes up for jitter that changes and for clocks that drift apart; it leaps only over
seconds. Where nothing has come, time stands still as long as that does not make the speech late.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..daemon.show import History
from ..daemon.voice import TAPS, read_between
from ..devices.base import BLOCK_SAMPLES
from ..errors import CallError
from ..packets import SAMPLE_RATE_HZ, Float32
from .head import FarHead
from .opus import STEP_SAMPLES, TICKS, OpusDecoder, samples_in

LOG = logging.getLogger(__name__)
ARRIVALS = 400
ON_TIME = 0.97
MARGIN_S = 0.015
MAX_DELAY_S = 0.8
LOSSY = 0.01
CALM_S = 0.01
"""So far off, nothing is done about it."""
PULL_S = 0.4
SPEAKING, QUIET = 0.04, 0.3
"""How much faster or slower than spoken it is read at most."""
LOUD = 5e-3
LEAP_S = 1.5
MAX_WAITING = 256
STRANGE_S = 15.0
BELIEVED_AFTER = 8
LATE_KEPT = 500
TOLD_AT = (1, 100, 10_000)
"""After so many packets that were refused, the log says so."""
SEQUENCES = 1 << 16
FADE = np.linspace(0, 1, BLOCK_SAMPLES, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Voiced:
    """A packet of speech as it came in. `sequence` (16 bits) counts packets that were sent; `timestamp` (32 bits,
    48 kHz) is of its first sample; `arrived_s` is monotonic."""

    sequence: int
    timestamp: int
    payload: bytes
    arrived_s: float


class Playout:
    """`hear` takes packets, in any order; `next` gives 10 ms of speech every 10 ms. Any threads.

    `head`: what comes of the speaker's head beside the speech.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.head = FarHead()
        self.refused = 0
        self.late = 0
        self.lost = 0
        self.recovered = 0
        self.leaps = 0
        self.heard_s: float | None = None
        """When the last packet came."""
        self._begin()

    def _begin(self) -> None:
        self._decoder = OpusDecoder()
        self._speech = History()
        self._waiting: dict[int, Voiced] = {}
        self._played: int | None = None  # the sequence number of the last packet
        self._lateness_s: deque[float] = deque(maxlen=ARRIVALS)
        self._missed: deque[bool] = deque([False], maxlen=LATE_KEPT)
        self._place: float | None = None
        self._newest: tuple[int, int] | None = None  # timestamp and sample of the newest packet
        self._frame_s = 0.0
        self._strange = 0
        self._needed_s = 0.0
        self._behind_s = 0.0  # how much later than it should be what was read last was read
        self._loud = False

    @property
    def delay_s(self) -> float:
        """How long after its capture (and the quickest way here) speech is heard."""
        fastest_s = min(self._lateness_s, default=0.0)
        return self._needed_s + self._behind_s - fastest_s

    @property
    def loss(self) -> float:
        """The share of the last packets that was missing when it should have been heard."""
        return sum(self._missed) / len(self._missed)

    def hear(self, packet: Voiced) -> None:
        """Take a packet; what is no speech, or of no time that makes sense, is counted in `refused`."""
        with self._lock:
            try:
                length = samples_in(packet.payload)
            except CallError:
                self._refuse()
                return
            start = self._unwrapped(packet.timestamp)
            if start is None or length % STEP_SAMPLES:
                self._refuse()
                return
            self.heard_s = packet.arrived_s
            self._frame_s = length / SAMPLE_RATE_HZ
            self._note(packet.arrived_s - start / SAMPLE_RATE_HZ)
            if start < 0 or start + length <= self._speech.end:
                self.late += 1
            else:
                self._waiting[start] = packet
            if len(self._waiting) > MAX_WAITING:  # nobody reads yet: what was said first is past first
                self._waiting.pop(min(self._waiting))

    def next(self, now_s: float) -> Float32:
        """The 10 ms (160,) that are heard from `now_s` on, which goes up by 10 ms from call to call."""
        with self._lock:
            if self._newest is None:
                return np.zeros(BLOCK_SAMPLES, np.float32)
            due = (now_s - self._needed_s) * SAMPLE_RATE_HZ
            if self._place is None:
                self._place = min(due, float(self._newest[1]))
            self._behind_s = (due - self._place) / SAMPLE_RATE_HZ
            if abs(self._behind_s) > LEAP_S:
                self._behind_s = 0.0
                return self._leap(due)
            return self._read(self._behind_s)

    def after(self, timestamp: int) -> int | None:
        """How many samples after the one that is read next `timestamp` is; None for one far from all that was said.

        0 before the first word, when there is nothing to be in step with.
        """
        with self._lock:
            if self._newest is None or self._place is None:
                return 0
            ahead = _ahead(timestamp, self._newest[0])
            if abs(ahead) > STRANGE_S * SAMPLE_RATE_HZ:
                return None
            return self._newest[1] + ahead - int(self._place)

    def _read(self, behind_s: float) -> Float32:
        assert self._place is not None
        step = 1 + self._speed(behind_s)
        if not self._unpack(self._place + step * BLOCK_SAMPLES, may_wait=behind_s < 0):
            return self._decoder.conceal(BLOCK_SAMPLES)  # time stands still
        block = read_between(self._speech, self._place, step, BLOCK_SAMPLES)
        self._place += step * BLOCK_SAMPLES
        self._loud = bool(np.abs(block).max() > LOUD)
        return block

    def _leap(self, due: float) -> Float32:
        """To what is due, over what is long past or has not been said; the old fades out, the new in."""
        assert self._place is not None
        old = read_between(self._speech, self._place, 1.0, BLOCK_SAMPLES)
        self._place = max(due, 0.0)
        self._waiting = {s: p for s, p in self._waiting.items() if s >= self._place - SAMPLE_RATE_HZ}
        behind = int(self._place) - TAPS - self._speech.end
        if behind > 0:
            self._speech.add(np.zeros(behind // STEP_SAMPLES * STEP_SAMPLES, np.float32))
        self.leaps += 1
        return old * (1 - FADE) + self._read(0.0) * FADE

    def _speed(self, behind_s: float) -> float:
        most = SPEAKING if self._loud else QUIET
        off_s = max(abs(behind_s) - CALM_S, 0.0)
        return float(np.copysign(min(off_s / PULL_S, most), behind_s))

    def _unpack(self, until: float, may_wait: bool) -> bool:
        """Make speech up to `until`, and what the interpolation needs beyond; False if it should be waited for."""
        needed = int(until) + TAPS
        while (at := self._speech.end) < needed:
            first = min(self._waiting, default=None)
            if first is None and may_wait:
                return False
            if first is None:
                self._speech.add(self._decoder.conceal(BLOCK_SAMPLES))
            elif first <= at:
                self._play(first, at)
            else:
                self._bridge(at, first)
        return True

    def _play(self, start: int, at: int) -> None:
        """The packet of `start`, or, where that was concealed already, what is left of it from `at` on."""
        packet = self._waiting.pop(start)
        samples = self._decoded(lambda: self._decoder.decode(packet.payload), samples_in(packet.payload))
        self._speech.add(samples[at - start :])
        lost = 0 if self._played is None else (packet.sequence - self._played - 1) % SEQUENCES
        self._played = packet.sequence
        if lost < ARRIVALS:
            self.lost += lost
            self._missed.extend([True] * lost)
        self._missed.append(start < at)

    def _bridge(self, at: int, following: int) -> None:
        """Nothing is there between `at` and `following`: packets were lost, or nobody spoke."""
        gap, packet = following - at, self._waiting[following]
        lost = self._played is not None and (packet.sequence - self._played) % SEQUENCES > 1
        if lost and gap == samples_in(packet.payload):
            self._speech.add(self._decoded(lambda: self._decoder.recover(packet.payload, gap), gap))
            self.recovered += 1
        else:
            self._speech.add(self._decoder.conceal(min(gap, BLOCK_SAMPLES)))

    def _decoded(self, decode: Callable[[], Float32], samples: int) -> Float32:
        try:
            return decode()
        except CallError:  # it began like speech
            self._refuse()
            return np.zeros(samples, np.float32)

    def _refuse(self) -> None:
        self.refused += 1
        if self.refused in TOLD_AT:
            LOG.warning("%d packets from the other side are no speech, or of no time: not heard", self.refused)

    def _note(self, lateness_s: float) -> None:
        self._lateness_s.append(lateness_s)
        late = np.fromiter(self._lateness_s, float)
        repair_s = self._frame_s if self.loss > LOSSY else 0.0
        fastest_s = float(late.min())
        wanted_s = float(np.quantile(late, ON_TIME)) + repair_s + MARGIN_S
        self._needed_s = min(wanted_s, fastest_s + MAX_DELAY_S)

    def _unwrapped(self, timestamp: int) -> int | None:
        """The sample at which a packet begins; None for a time far from all others, unless it is insisted on."""
        if self._newest is None:
            self._newest = (timestamp, 0)
            return 0
        last, sample = self._newest
        ahead = _ahead(timestamp, last)
        if abs(ahead) > STRANGE_S * SAMPLE_RATE_HZ:
            self._strange += 1
            if self._strange >= BELIEVED_AFTER:
                self._begin()  # the other side began anew
            return None
        self._strange = 0
        start = sample + ahead
        if ahead > 0:
            self._newest = (timestamp, start)
        return start - start % STEP_SAMPLES


def _ahead(timestamp: int, last: int) -> int:
    """How many samples `timestamp` (32 bits) is after `last`."""
    return ((timestamp - last + (1 << 31)) % (1 << 32) - (1 << 31)) // TICKS

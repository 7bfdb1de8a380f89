"""From what is due to the camera: the render and the camera worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from ..devices.fit import Fitter
from ..errors import ModelError
from ..packets import SAMPLE_RATE_HZ, UInt8, frame_start_sample
from ..subject import Subject
from ..trust.marks import Marker
from .clock import AudioClock
from .delays import Delays, Made
from .mending import Mender
from .outlets import Outlets
from .pacing import DuePictures, JitterBuffer, Pacer
from .priority import give_way
from .show import Due, Picture
from .stats import Rate, Ring

POLL_S = 0.1
REFRESH_S = 1.0
BACKLOG_S = 0.08
REST = 2.0
MAX_REST_S = 0.25
SHARE_FOR_HURRY = 0.9
MEMORY = 0.1


def render(
    due: DuePictures[Due],
    rendered: JitterBuffer[Picture],
    wanted: Callable[[], bool],
    unheard_s: Callable[[], float],
    badge_of: Callable[[Subject], str],
    mender: Mender,
    at_rest: Callable[[], UInt8],
    period_s: Callable[[], float],
    stop: threading.Event,
) -> None:
    """Render what is due while somebody sees it, and one picture now and then when nobody does.

    A renderer that fails is `mender`'s; while there is none, the portrait is shown `at_rest`.

    `unheard_s`: how much speech waits for the motion worker. When that falls behind, the renderer rests (skips) for
    twice as long as it works, to let it catch up: it must hear everything, and its lateness would be everybody's.
    """
    give_way()
    typical_s = 0.0
    last_s = 0.0
    while not stop.is_set():
        item = due.take(POLL_S, hurry=typical_s > SHARE_FOR_HURRY * period_s())
        began_s = time.monotonic()
        if item is None:
            continue
        rest_s = min(REST * typical_s, MAX_REST_S) if unheard_s() > BACKLOG_S else 0.0
        watched = wanted()
        if mender.resting or began_s - last_s < (rest_s if watched else REFRESH_S):
            due.skipped += watched  # what nobody would have seen is not missed
            continue
        badge = badge_of(item.pipeline.subject)
        try:
            frame = item.pipeline.render(item.pipeline.draw(item.landmarks))
        except ModelError as error:
            rendered.put(Picture(at_rest(), None, badge))
            mender.failed(item.pipeline, error)
            continue
        mender.worked()
        last_s = time.monotonic()
        made = Made(item.pipeline.look_ahead_samples / SAMPLE_RATE_HZ, item.due_s, began_s, last_s)
        rendered.put(Picture(frame.pixels, item.landmarks.frame, badge, made))
        typical_s += MEMORY * (last_s - began_s - typical_s)


class Camera:
    """What the camera shows now, and how well it keeps its rate. The camera worker writes, anybody reads.

    Pictures are turned, fitted into the frame and marked here, once each, in this order: what is written in the
    backdrop and the words of the mark can be read.
    """

    def __init__(self, idle: UInt8, fitter: Fitter, mirror: bool, badge: str = "") -> None:
        self.mirror = mirror
        self.fitter = fitter
        self.paused = False
        self.watched_since_s: float | None = None
        self._marker = Marker()
        self._fitted_by, self._rendered = fitter, Picture(idle, None, badge)
        self.shown = self._faced(self._rendered)
        self.sent = 0
        self.repeated = 0
        self.missed = 0
        self.out = Rate()
        self.fresh = Rate()
        self.delay_s = Ring()
        self.delays = Delays()

    def watched_s(self, now_s: float) -> float:
        """For how long somebody has seen live pictures without a break."""
        return 0.0 if self.watched_since_s is None or self.paused else now_s - self.watched_since_s

    def turn(self, rendered: Picture) -> None:
        """Show a new picture from now on."""
        self._rendered = rendered
        self.shown = self._faced(rendered)
        self.fresh.tick()

    def refit(self) -> None:
        """Show the same picture in the frame that is wanted now, if that has changed."""
        if self._fitted_by is not self.fitter:
            self.shown = self._faced(self._rendered)

    def count(self, new: bool, captured_s: float | None, sent_s: float) -> None:
        """A picture went out at `sent_s`; `captured_s`: when the first sample that it shows was captured."""
        self.sent += 1
        self.repeated += not new
        self.out.tick()
        if new and captured_s is not None:
            self.delay_s.add(sent_s - captured_s)
            if self.shown.made is not None:
                self.delays.add(captured_s, self.shown.made, sent_s)

    def _faced(self, picture: Picture) -> Picture:
        self._fitted_by = self.fitter
        pixels = np.asarray(cv2.flip(picture.pixels, 1), np.uint8) if self.mirror else picture.pixels
        return replace(picture, pixels=self._marker.mark(self._fitted_by.fit(pixels), picture.badge))


def film(
    rendered: JitterBuffer[Picture],
    camera: Camera,
    outlets: Outlets,
    clock: AudioClock,
    period_s: Callable[[], float],
    stop: threading.Event,
) -> None:
    """Send a picture at every tick: the next one, or the last one again (while it is paused, always)."""
    pacer = Pacer(period_s(), time.monotonic())
    while not stop.wait(max(pacer.deadline_s - time.monotonic(), 0.0)):
        if outlets.meet_requests():
            pacer = Pacer(period_s(), time.monotonic())
        picture = rendered.take()  # while it is paused, too: what waits would be old when it goes on
        if camera.paused:
            picture = None
        if picture is not None:
            camera.turn(picture)
        camera.refit()
        shown = camera.shown
        if outlets.send(shown.pixels, shown.frame):
            captured_s = None if shown.frame is None else clock.time_of(frame_start_sample(shown.frame))
            camera.count(picture is not None, captured_s, time.monotonic())
            camera.watched_since_s = camera.watched_since_s or time.monotonic()
        else:
            camera.watched_since_s = None
        missed = pacer.passed(time.monotonic())
        camera.missed += missed
        for _ in range(missed if outlets.recording else 0):
            outlets.send(shown.pixels, shown.frame)  # a file has no other clock than the number of its pictures

"""A portrait on air: the devices, the workers between them, and what may be asked of them meanwhile."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..devices.backdrop import Backdrop
from ..devices.base import BLOCK_S, AudioSink, AudioSource, FrameSink
from ..devices.fit import Fitter, even
from ..devices.preview import PreviewSink
from ..devices.switched import SwitchedSource
from ..errors import DaemonError, DeviceError
from ..packets import AS_MADE, SAMPLE_RATE_HZ, Manner, UInt8
from ..pipeline import Pipeline
from ..stages.steer import Steering
from ..subject import Subject
from .clock import AudioClock
from .crew import Crew
from .ears import Ear, PortraitEar
from .heads import Head, PortraitHead
from .listening import QUEUED_BLOCKS, Blocks, Listener, capture, motion
from .loading import Loader
from .memory import AS_EVER, Liking, Memory
from .mending import Mender
from .outlets import Outlets
from .pacing import DuePictures, JitterBuffer
from .priority import giving_way
from .show import Due, Picture, Show, idle_picture, warmed
from .showing import Camera, film, render
from .stats import Lately, StageTimes
from .voice import Voice, speak

LOG = logging.getLogger(__name__)
HANDOVER_S = 10.0
LAST_WORDS_S = 5.0
REMEMBERED_S = 60.0  # for so long is speech that was lost worth a warning
UNTIL_SEEN_S = 0.09  # what rendering and the camera's clock add, as a rule; measured as soon as pictures go out


@dataclass(frozen=True)
class Settings:
    """How to show: pictures per second, their size (None: the subject's own), what fills it, mirrored or not, and in
    which layout of their pixels where a virtual camera is chosen on air."""

    fps: int = 30
    size: tuple[int, int] | None = None
    backdrop: Backdrop | None = None
    mirror: bool = False
    camera_format: str = "auto"


class Daemon:
    """`begin` opens the devices and starts the workers; `end` joins them and raises the first error.

    The pipeline is loaded (and its first picture rendered) by the constructor, which may take seconds.
    """

    def __init__(
        self,
        subject: Subject,
        loader: Loader,
        open_source: Callable[[], AudioSource],
        camera: FrameSink | None,
        settings: Settings = Settings(),
        *,
        camera_is_device: bool = False,
        voice_sink: AudioSink | None = None,
        memory: Memory | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.stop = stop or threading.Event()
        self.started_s = time.time()  # for people; clocks of the wall are set
        self._began_s = time.monotonic()
        self.settings = settings
        self.loader = loader
        self._open_source = open_source
        self._source: SwitchedSource | None = None
        self.memory = memory
        self.times = StageTimes()
        self.lost_speech = Lately(REMEMBERED_S)
        self.loading: str | None = None
        self._switching = threading.Lock()
        self._crew = Crew(self.stop)
        self.mender = Mender(loader.renew)
        pipeline, idle = self._load(lambda: subject)
        self._at_rest = idle
        width, height = settings.size or (idle.shape[1], idle.shape[0])
        self.size = (even(width), even(height))
        self.preview = PreviewSink()
        self.outlets = Outlets(camera, self.preview, camera_is_device, settings.fps)
        self.clock = AudioClock()
        self.due: DuePictures[Due] = DuePictures()
        self.rendered: JitterBuffer[Picture] = JitterBuffer.at(settings.fps)
        self.listener = Listener(Show.begin(pipeline), settings.fps, self.due, self.clock, self.outlets.recording)
        self.steered: Head = PortraitHead(self.listener, memory)
        """What `steer` moves; a call puts another in its place."""
        fitter = Fitter(*self.size, settings.backdrop)
        self.camera = Camera(idle, fitter, settings.mirror, loader.badge_of(subject))
        self.voice_sink = voice_sink
        expected_s = pipeline.look_ahead_samples / SAMPLE_RATE_HZ + UNTIL_SEEN_S
        self.voice = Voice(self.listener.history, self.clock, expected_s)
        self.heard_by: Ear = PortraitEar(self.listener, self.voice, lambda: self.source)
        """Whom `mute` and `hear_from` are about; a call puts another in its place."""
        liking = self._liking(subject.name)
        self.listener.behave(liking.manner)
        if liking.steering is not None:
            self.listener.steer(liking.steering)

    def begin(self) -> None:
        """Go on air. Raises DeviceError if a device cannot be opened."""
        self.outlets.open(*self.size, self.settings.fps)

        def period_s() -> float:
            return 1 / self.settings.fps

        run, stop = self._crew.run, self.stop
        # At once: a browser gives a camera up that is open and sends nothing.
        run("camera", lambda: film(self.rendered, self.camera, self.outlets, self.clock, period_s, stop))
        # Last, so that no speech piles up before anybody listens.
        source = self._source = SwitchedSource(self._open_source())
        blocks: Blocks = queue.Queue(QUEUED_BLOCKS)

        def unheard_s() -> float:
            return blocks.qsize() * BLOCK_S

        run(
            "render",
            lambda: render(
                self.due,
                self.rendered,
                self._wanted,
                unheard_s,
                self.loader.badge_of,
                self.mender,
                lambda: self._at_rest,
                period_s,
                stop,
            ),
        )
        run("motion", lambda: motion(blocks, self.listener, self._last_words, stop))
        run("capture", lambda: capture(source, blocks, self.lost_speech, stop))
        if self.voice_sink is not None:
            sink = self.voice_sink
            run("voice", lambda: speak(sink, self.voice, self._picture_delay_s, stop))

    def end(self) -> None:
        """Leave the air: join the workers, close the devices, raise the first error."""
        self.stop.set()
        try:
            if self._source is not None:
                self._source.close()
            self._crew.join()
        finally:
            if self.memory is not None:
                self.memory.save()
            if self.voice_sink is not None:
                self.voice_sink.close()
            self.outlets.close()

    @property
    def source(self) -> SwitchedSource:
        """The microphone."""
        assert self._source is not None, "begin comes first"
        return self._source

    @property
    def uptime_s(self) -> float:
        """For how long it has been there."""
        return time.monotonic() - self._began_s

    @property
    def subject(self) -> str:
        """Who is shown."""
        return self.listener.show.pipeline.subject.name

    def switch(self, name: str, waived: bool = False) -> None:
        """Show another subject from one frame to the next; returns when it is on air.

        It is loaded and hears the last seconds while the other one goes on. If it does not load, or may not be
        shown, the error is raised and nothing has changed. `waived`: the user answers for a consent that it lacks.
        """
        if not self._switching.acquire(blocking=False):
            raise DaemonError(f"Another switch (to '{self.loading}') is under way. Try again in a moment.")
        try:
            self.loading = name
            pipeline, idle = self._load(lambda: self.loader.find(name, waived))
            show = warmed(pipeline, self.listener.history)
            self.listener.enter(show, self._liking(name))
            if not show.on_air.wait(HANDOVER_S):
                raise DaemonError("No speech arrives from the microphone, so nobody can take over. Check it.")
            self._at_rest = idle
            LOG.info("now showing %s", name)
        finally:
            self.loading = None
            self._switching.release()

    def steer(self, steering: Steering) -> None:
        """Put the head (in a call: our own, which the other side sees) under `steering`."""
        self.steered.steer(steering)

    def behave(self, manner: Manner) -> None:
        """Let the subject do things in `manner`."""
        self.listener.behave(manner)
        if self.memory is not None:
            self.memory.keep(self.subject, manner)

    def reset(self) -> None:
        """The subject as it was made, its head moved by the speech, and nothing else remembered of it."""
        self.steered.steer(Steering())
        self.listener.steer(Steering())  # in a call that is another head
        self.listener.behave(AS_MADE)
        if self.memory is not None:
            self.memory.forget(self.subject)

    def pause(self, paused: bool) -> None:
        """Let the camera show the same picture on and on, or live ones again."""
        self.camera.paused = paused

    def hear_from(self, source: AudioSource) -> None:
        """Let the portrait (in a call: the other side) hear another microphone, which is open."""
        self.heard_by.hear_from(source)
        LOG.info("now listening to %s", source.name)

    def reframe(self, settings: Settings, camera: FrameSink | None) -> None:
        """Show at another rate or in another size, or on another camera (a device; None: the preview page only).

        Raises DeviceError if the camera does not take that; then everything is as before.
        """
        before, self.settings = self.settings, settings
        width, height = (even(side) for side in settings.size or self.size)
        done = self.outlets.change(camera, width, height, settings.fps)
        try:
            done.result(HANDOVER_S)
        except TimeoutError:
            self.settings = before
            raise DaemonError("The camera does not answer. See `lsp-cam status`.") from None
        except DeviceError:
            self.settings = before
            raise
        self.size, self.listener.fps = (width, height), settings.fps
        self.rendered.suit(settings.fps)
        self.camera.fitter = Fitter(width, height, settings.backdrop)

    def mute(self, muted: bool) -> None:
        """Let the portrait (in a call: the other side) hear silence, or the microphone again."""
        self.heard_by.mute(muted)

    @property
    def muted(self) -> bool:
        """Whether somebody is muted."""
        return self.heard_by.muted

    def mirror(self, mirror: bool) -> None:
        """Exchange left and right of the picture."""
        self.camera.mirror = mirror

    def snapshot(self) -> UInt8:
        """What the camera shows now, (H, W, 3) RGB."""
        return Fitter(*self.size, self.settings.backdrop).fit(self.camera.shown.pixels).copy()

    def _load(self, find: Callable[[], Subject]) -> tuple[Pipeline, UInt8]:
        """A pipeline that is ready, and its idle portrait. The renderer's threads are started here, and give way."""

        def load() -> tuple[Pipeline, UInt8]:
            pipeline = self.loader.load(find(), self.times.observe)
            return pipeline, idle_picture(pipeline)

        return giving_way(load)

    def _picture_delay_s(self) -> float | None:
        """How long after its speech a picture leaves, as a rule; None while nobody has taken one."""
        found = self.camera.delay_s.percentile(50)
        return found[0] if found else None

    def _liking(self, name: str) -> Liking:
        return self.memory.of(name) if self.memory is not None else AS_EVER

    def _wanted(self) -> bool:
        return self.outlets.wants_frames and not self.camera.paused

    def _last_words(self) -> None:
        """The speech is over: let its last pictures go out, then end."""
        deadline_s = time.monotonic() + LAST_WORDS_S
        while (self.due.waiting or self.rendered.waiting) and time.monotonic() < deadline_s:
            if self.stop.wait(0.02):
                return
        self.stop.wait(2 / self.settings.fps)
        self.stop.set()

"""A call under way: a line, what is heard over it, what is said into it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ..backends.choose import open_engine
from ..daemon.choose import Cast, choose_camera
from ..daemon.core import Daemon
from ..daemon.crew import Crew
from ..daemon.options import AUTO, NONE, StartOptions
from ..devices.base import AudioSink, AudioSource
from ..devices.loudspeaker import loudspeaker
from ..devices.switched import SwitchedSource
from ..errors import DeviceError
from ..store import Store
from ..subject import Subject
from ..trust.permission import permit
from .head import OwnHead
from .line import Line
from .opus import Config
from .playout import Playout
from .voices import FarVoice, speak_into


@dataclass
class Conversation:
    """Speech both ways over `line`, whose packets go to `playout`. `begin` and `end` are a daemon's.

    `portraits`: what passes the two sides' portraits on, to be run until the call ends; it is given what shows one.
    """

    line: Line
    playout: Playout
    open_microphone: Callable[[], AudioSource]
    stop: threading.Event
    config: Config = field(default_factory=Config)
    portraits: Callable[[Callable[[Subject], None], Crew], None] | None = None
    muted: bool = False
    head: OwnHead = field(default_factory=OwnHead)

    def __post_init__(self) -> None:
        self._crew = Crew(self.stop)
        self._microphone: SwitchedSource | None = None

    def begin(self) -> None:
        """Let the other side hear us. Raises DeviceError if the microphone does not open."""
        microphone = self._microphone = SwitchedSource(self.open_microphone())
        self._crew.run("outgoing", lambda: self._speak(microphone))

    def end(self) -> None:
        """Hang up."""
        self.stop.set()
        try:
            if self._microphone is not None:
                self._microphone.close()
            self._crew.join()
        finally:
            self.line.close()

    def cast(self, options: StartOptions, store: Store) -> Cast:
        """Who and what takes part, for the daemon that shows the other side.

        Its microphone is the line, its virtual microphone our loudspeaker: that is as late as the picture.
        """
        settings = options.settings
        subject, consent = who_is_shown(options, store)
        camera, is_device, unseen = choose_camera(settings, subject)
        speaker, unheard = _speaker(settings.mic_out)
        engine = open_engine(settings.engine or AUTO, settings.threads, shared=True)
        return Cast(
            subject, engine, lambda: FarVoice(self.playout, self.line), camera, is_device, speaker,
            (*unseen, *unheard), consent, "call", lambda daemon: self._meet(daemon, options.waived),
        )  # fmt: skip

    def mute(self, muted: bool) -> None:
        """Let the other side hear silence, or us again."""
        self.muted = muted

    def hear_from(self, source: AudioSource) -> None:
        """Let the other side hear us through another microphone, which is open."""
        assert self._microphone is not None, "begin comes first"
        self._microphone.change(source)

    def _meet(self, daemon: Daemon, waived: bool) -> None:
        """The daemon is on air: mute, microphone and steering are ours from now on; whose portrait comes is shown."""
        daemon.heard_by, daemon.steered = self, self.head
        if self.portraits is not None:

            def show(subject: Subject) -> None:
                if daemon.subject != subject.name:
                    daemon.switch(subject.name, waived)

            self.portraits(show, self._crew)

    def _speak(self, microphone: AudioSource) -> None:
        speak_into(self.line, microphone, self.config, lambda: self.muted, self.head, self.stop)


def who_is_shown(options: StartOptions, store: Store) -> tuple[Subject, str]:
    """Whose portrait the other side's voice moves, and what their consent says; ConsentError where it forbids calls."""
    wanted = options.settings.subject
    subject = store.get(wanted) if wanted else store.default()
    return subject, permit(subject, "call", waived=options.waived)


def _speaker(wanted: str) -> tuple[AudioSink | None, tuple[str, ...]]:
    """The loudspeaker, and what is missing."""
    if wanted == NONE:
        return None, ()
    try:
        return loudspeaker(), ()
    except DeviceError as error:
        if wanted != AUTO:
            raise
        return None, (f"You will see the other side, but not hear it. {error}",)

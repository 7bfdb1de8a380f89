"""Whose microphone is muted and exchanged: the portrait's, unless a call puts our own in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..devices.base import AudioSource
from ..devices.monitor import Monitor
from ..devices.switched import SwitchedSource
from .listening import Listener
from .voice import Voice


class Ear(Protocol):
    """Who hears a microphone."""

    @property
    def muted(self) -> bool:
        """Whether silence is heard in its place."""
        ...

    def mute(self, muted: bool) -> None:
        """Hear silence, or the microphone again."""
        ...

    def hear_from(self, source: AudioSource) -> None:
        """Hear another microphone, which is open, from now on."""
        ...


class PortraitEar:
    """The portrait on air. What loudspeakers play is not said back by `voice` to those who said it."""

    def __init__(self, listener: Listener, voice: Voice, source: Callable[[], SwitchedSource]) -> None:
        self._listener, self._voice, self._source = listener, voice, source

    @property
    def muted(self) -> bool:
        return self._listener.muted

    def mute(self, muted: bool) -> None:
        self._listener.muted = muted

    def hear_from(self, source: AudioSource) -> None:
        self._voice.silent = isinstance(source, Monitor)
        self._source().change(source)

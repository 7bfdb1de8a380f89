"""What a sound server may do to LSP Mic while it is in use, looked after.

A server moves a recording whose microphone was unplugged to another one, and LSP Mic may be all that is left: the
portrait would hear itself, a moment late, for ever. And where somebody takes LSP Mic's modules away, it moves the voice
to whatever else can play it: the loudspeaker.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from ..errors import DeviceLost


class PulseGuard:
    """Looks after the modules `modules` and the recordings of this process; `ours`: names of our sink and source."""

    def __init__(self, modules: Collection[int], ours: tuple[str, str]) -> None:
        self._modules = set(modules)
        self._sink, self._source = ours
        self._silenced: set[int] = set()

    def look(self, server: Any) -> None:
        """Set right what is wrong; raises DeviceLost where our modules are gone. `server`: an open connection."""
        if not self._modules <= {module.index for module in server.module_list()}:
            raise DeviceLost("Somebody took the virtual microphone away.")
        sources = server.source_list()
        own = {s.index for s in sources if s.name in (self._source, f"{self._sink}.monitor")}
        others = [s for s in sources if s.index not in own and not s.name.endswith(".monitor")]
        for recording in server.source_output_list():
            if recording.proplist.get("application.process.id") != str(os.getpid()):
                continue
            deaf = recording.source in own
            if deaf and others:
                server.source_output_move(recording.index, others[0].index)
                deaf = False
            self._silence(server, recording.index, deaf)

    def _silence(self, server: Any, recording: int, deaf: bool) -> None:
        """Mute a recording that hears ourselves until it is elsewhere; what a user muted is left alone."""
        if deaf and recording not in self._silenced:
            server.source_output_mute(recording, True)
            self._silenced.add(recording)
        elif not deaf and recording in self._silenced:
            server.source_output_mute(recording, False)
            self._silenced.discard(recording)

"""What a sound server may do to LSP Mic while it is in use, looked after.

A server moves a recording whose microphone was unplugged to another one, and LSP Mic may be all that is left: the
portrait would hear itself, a moment late, for ever. It moves what plays on a loudspeaker that goes away to LSP Mic's
sink, if no other is left, and the meeting would hear music, or itself. And where somebody takes LSP Mic's modules
away, it moves the voice to whatever else can play it: the loudspeaker.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from typing import Any

from ..errors import DeviceLost

CHECK_S, CLOSING_S, PATIENCE = 1.0, 0.05, 60
ASIDE = "_aside"
NO_LOUDSPEAKER = 'device.description="No loudspeaker"'
HEARD_BACK = "lsp-cam selftest"
"""A recording of this name is meant to hear LSP Mic."""


class PulseGuard:
    """Looks after the modules `modules` and the streams of this process; `ours`: names of our sink and source."""

    def __init__(self, modules: Collection[int], ours: tuple[str, str]) -> None:
        self._modules = set(modules)
        self._sink, self._source = ours
        self._silenced: set[int] = set()

    def look(self, server: Any) -> None:
        """Set right what is wrong; raises DeviceLost where our modules are gone. `server`: an open connection."""
        if not self._modules <= {module.index for module in server.module_list()}:
            raise DeviceLost("Somebody took the virtual microphone away.")
        self._keep_ours(server)
        self._keep_out(server)

    def _keep_ours(self, server: Any) -> None:
        """Nobody hears themselves."""
        sources = server.source_list()
        own = {s.index for s in sources if s.name in (self._source, f"{self._sink}.monitor")}
        others = [s for s in sources if s.index not in own and not s.name.endswith(".monitor")]
        for recording in server.source_output_list():
            if recording.proplist.get("application.process.id") != str(os.getpid()):
                continue
            if recording.proplist.get("media.name") == HEARD_BACK:
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

    def _keep_out(self, server: Any) -> None:
        """Other programs' sound goes to a loudspeaker; where there is none, to a sink of its own that nobody hears."""
        aside = self._sink + ASIDE
        sinks = {sink.name: sink.index for sink in server.sink_list()}
        ours = {sinks.get(self._sink), sinks.get(aside)}
        strays = [
            stream
            for stream in server.sink_input_list()
            if stream.sink in ours and stream.proplist.get("application.process.id") != str(os.getpid())
        ]
        usual = server.server_info().default_sink_name
        others = [name for name in sinks if name not in (self._sink, aside)]
        if others:
            target = sinks[usual if usual in others else others[0]]
        elif strays:
            if aside not in sinks:
                server.module_load("module-null-sink", f"""sink_name={aside} sink_properties='{NO_LOUDSPEAKER}'""")
            target = server.get_sink_by_name(aside).index
        for stream in strays:
            if stream.sink != target:
                server.sink_input_move(stream.index, target)
        if others and aside in sinks:
            for module in server.module_list():
                if module.argument and f"sink_name={aside} " in module.argument:
                    server.module_unload(module.index)


class Watch(threading.Thread):
    """Has `guard` look whenever something changes on the server, and every `CHECK_S`.

    `connect` opens a connection; `failures`, beside DeviceLost, are what it and its methods raise.
    `problem`: why it looks no more.
    """

    def __init__(
        self,
        guard: PulseGuard,
        connect: Callable[[], AbstractContextManager[Any]],
        failures: tuple[type[Exception], ...],
    ) -> None:
        super().__init__(name="guard", daemon=True)
        self.problem: Exception | None = None
        self._guard = guard
        self._connect = connect
        self._failures: tuple[type[Exception], ...] = (DeviceLost, *failures)
        self._over = self._changed = False
        self._server: Any = None
        self._lock = threading.Lock()
        self.start()

    def run(self) -> None:
        try:
            with self._connect() as server:
                server.event_mask_set("module", "sink", "source", "sink_input", "source_output")
                server.event_callback_set(self._note)
                self._server = server
                try:
                    while not self._over:
                        self._look(server)
                finally:
                    with self._lock:
                        self._server = None  # before it is closed: nobody may wake a connection that is not there
        except self._failures as error:
            self.problem = error

    def close(self) -> None:
        """Look no more. A server that hangs is left to it."""
        self._over = True
        for _ in range(PATIENCE):
            with self._lock:
                if self._server is not None:
                    self._server.event_listen_stop()
            self.join(CLOSING_S)
            if not self.is_alive():
                break

    def _look(self, server: Any) -> None:
        from pulsectl import PulseIndexError, PulseOperationFailed

        self._changed = False
        with suppress(PulseIndexError, PulseOperationFailed):  # what ended meanwhile needs no care
            self._guard.look(server)
        if not self._changed:
            server.event_listen(CHECK_S)

    def _note(self, event: Any) -> None:
        from pulsectl import PulseLoopStop

        self._changed = True
        raise PulseLoopStop

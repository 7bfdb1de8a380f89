"""One process that is the user's daemon: it takes the lock, goes on air, serves the control interface, and ends."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn

from ..daemon.choose import Cast, choose
from ..daemon.core import Daemon, Settings
from ..daemon.crew import Crew
from ..daemon.loading import Loader
from ..daemon.memory import Memory
from ..daemon.options import StartOptions, State
from ..daemon.runtime import Contact, Record, Runtime
from ..devices.backdrop import backdrop_of
from ..devices.virtualcam import USUAL_SIZE
from ..errors import DaemonError, LspCamError
from ..folders import state_folder
from ..store import Store
from .app import create_app

LOG = logging.getLogger(__name__)
BEAT_S = 2.0
POLL_S = 0.02
ADDRESS = "127.0.0.1"
LIKINGS = "likings.json"
COMPILER = "lsp_cam.backends.trt"
"""Whose log tells, while the daemon starts, what takes so long."""


@contextmanager
def telling(logger: str, tell: Callable[[str], object]) -> Iterator[None]:
    """Within it, what `logger` notes is told as well."""

    class Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell(record.getMessage())

    teller = Teller(logging.INFO)
    logging.getLogger(logger).addHandler(teller)
    try:
        yield
    finally:
        logging.getLogger(logger).removeHandler(teller)


@dataclass
class Host:
    """One run. `on_air` is called when the first picture is out; `cast` finds who and what takes part."""

    options: StartOptions
    stop: threading.Event
    tell: Callable[[str], None] = lambda message: None
    on_air: Callable[[Record, Contact], None] = lambda record, contact: None
    runtime: Runtime = field(default_factory=Runtime)
    store: Store = field(default_factory=Store)
    cast: Callable[[StartOptions, Store], Cast] = choose
    subject: str | None = None
    notices: tuple[str, ...] = ()
    started_s: float = field(default_factory=time.time)

    def run(self) -> None:
        """Until `stop` is set. Raises what went wrong, after everything has been put back."""
        self.runtime.acquire()
        try:
            self._record("starting", "Starting.")
            self._serve()
            self._part("stopped")
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self.runtime.release()

    def _serve(self) -> None:
        with _listening(self.options.settings.port) as listener:
            with telling(COMPILER, lambda message: self._record("starting", message)):
                daemon, begun = self._prepare()
            if self.stop.is_set():
                return
            try:
                daemon.begin()
                begun(daemon)
                with _answering(daemon, listener, self.stop) as contact:
                    self._go_on_air(daemon, contact)
                    while not self.stop.wait(BEAT_S):
                        self._beat(daemon)
                    self._part("stopping")
            finally:
                daemon.end()

    def _prepare(self) -> tuple[Daemon, Callable[[Daemon], None]]:
        settings = self.options.settings
        backdrop = backdrop_of(settings.fill)
        cast = self.cast(self.options, self.store)
        self.subject, self.notices = cast.subject.name, cast.notices
        # Meetings ask cameras for 16:9; whoever is shown, the device keeps this size
        size = settings.size_px or (USUAL_SIZE if cast.camera_is_device else None)
        self._record("starting", f"Loading {cast.subject.manifest.title}. {cast.consent}")
        daemon = Daemon(
            cast.subject,
            Loader(self.store, cast.engine, settings.seed, settings.badge, cast.use),
            cast.open_source,
            cast.camera,
            Settings(settings.fps, size, backdrop, settings.mirror, settings.camera_format),
            camera_is_device=cast.camera_is_device,
            voice_sink=cast.voice,
            memory=Memory(state_folder() / LIKINGS),
            stop=self.stop,
        )
        return daemon, cast.begun

    def _go_on_air(self, daemon: Daemon, contact: Contact) -> None:
        while daemon.outlets.wants_frames and not daemon.camera.sent and not self.stop.wait(POLL_S):
            continue
        if self.stop.is_set():
            return
        self.runtime.write_contact(contact)
        record = self._record("running", None)
        LOG.info("on air: %s", daemon.outlets.camera.describe() if daemon.outlets.camera else "preview page only")
        self.on_air(record, contact)

    def _record(self, state: State, message: str | None, exit_code: int = 0) -> Record:
        record = Record(
            pid=os.getpid(),
            started_s=self.started_s,
            state=state,
            subject=self.subject,
            message=message,
            notices=self.notices,
            exit_code=exit_code,
        )
        self.runtime.write_record(record)
        LOG.info("%s%s", state, f": {message}" if message else "")
        if message and state == "starting":
            self.tell(message)
        return record

    def _part(self, state: State) -> None:
        """Write down a clean end; where the disk is full, leave no record, for one of a run would look like a crash."""
        try:
            self._record(state, None)
        except DaemonError as problem:
            LOG.warning("%s: %s", state, problem)
            self.runtime.forget_record()

    def _fail(self, error: BaseException) -> None:
        """Write down what happened; a disk that is full must not hide it."""
        code = error.exit_code if isinstance(error, LspCamError) else 70
        message = str(error) if isinstance(error, LspCamError) else f"{type(error).__name__}: {error}"
        LOG.error("%s", message, exc_info=None if isinstance(error, LspCamError) else error)
        try:
            self._record("failed", message, code)
        except DaemonError as problem:
            LOG.error("%s", problem)

    def _beat(self, daemon: Daemon) -> None:
        if daemon.memory is not None:
            daemon.memory.save()
        try:
            self.runtime.beat()
        except OSError as error:
            LOG.warning("no sign of life could be left: %s", error)


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    """A socket on loopback; DaemonError if the port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere it would let two programs share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((ADDRESS, port))
            listener.listen(64)
        except OSError as error:
            raise DaemonError(
                f"Port {port} cannot be used ({error.strerror}). Choose another with --port, or leave it out."
            ) from None
        yield listener


@contextmanager
def _answering(daemon: Daemon, listener: socket.socket, stop: threading.Event) -> Iterator[Contact]:
    """Serve the control interface in a thread."""
    contact = Contact(pid=os.getpid(), port=listener.getsockname()[1], token=secrets.token_urlsafe(32))
    config = uvicorn.Config(
        create_app(daemon, contact.token, contact.port, state_folder() / "panel"),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=2,
        server_header=False,
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    crew = Crew(stop)
    crew.run("control", lambda: server.run(sockets=[listener]))
    while not server.started and not stop.wait(POLL_S):
        continue
    try:
        yield contact
    finally:
        stop.set()
        server.should_exit = True
        crew.join()

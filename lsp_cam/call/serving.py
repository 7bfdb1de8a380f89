"""The rendezvous as a program."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

import uvicorn

from ..errors import CallError
from .rendezvous import Rooms, create_rendezvous

MAX_CONNECTIONS = 256


def serve_rendezvous(host: str, port: int, tell: Callable[[str], None]) -> None:
    """Until Ctrl-C. CallError if the port cannot be used."""
    logging.disable(logging.ERROR)  # nothing is written down, callers' addresses least of all
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise CallError(f"Port {port} of {host} cannot be used ({error.strerror}). Choose others.") from None
        port = listener.getsockname()[1]
        tell(f"The rendezvous is http://{f'[{host}]' if ':' in host else host}:{port}. End it with Ctrl-C.")
        config = uvicorn.Config(
            create_rendezvous(Rooms()), log_config=None, access_log=False, lifespan="off", ws="none",
            limit_concurrency=MAX_CONNECTIONS, timeout_keep_alive=5, server_header=False, proxy_headers=False,
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listener])

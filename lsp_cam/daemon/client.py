"""How the commands speak to the daemon that runs."""

from __future__ import annotations

from typing import Any

import httpx

from ..errors import DaemonError
from .runtime import Contact, Runtime, local_time, log_file

TIMEOUT_S = 5.0
LOADING_TIMEOUT_S = 180.0


class Client:
    """The daemon at `contact`; a context manager. Raises DaemonError if it does not answer or refuses."""

    def __init__(self, contact: Contact) -> None:
        # No proxy of the environment may come between: this goes to the machine itself.
        self._http = httpx.Client(
            base_url=contact.base_url,
            headers={"Authorization": f"Bearer {contact.token}"},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        return self._answer("GET", path).json()

    def get_bytes(self, path: str) -> bytes:
        """What is at `path`."""
        return self._answer("GET", path).content

    def post(self, path: str, body: dict[str, Any] | None = None, timeout_s: float = TIMEOUT_S) -> Any:
        """Ask for something; the JSON of the answer."""
        return self._answer("POST", path, json=body, timeout=timeout_s).json()

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TimeoutException:
            raise DaemonError(f"lsp-cam does not answer. See {log_file()}, or end it with `lsp-cam stop`.") from None
        except httpx.HTTPError as error:
            raise DaemonError(f"lsp-cam cannot be reached ({error}). Look at {log_file()}.") from None
        if answer.is_error:
            raise DaemonError(_detail(answer))
        return answer


def connect(runtime: Runtime | None = None) -> Client:
    """A client of the daemon that runs; DaemonError if there is none, saying what became of it."""
    runtime = runtime or Runtime()
    contact = runtime.contact()
    if not runtime.is_running():
        raise DaemonError(f"{absence(runtime)} Start it with `lsp-cam start`.")
    if contact is None:
        raise DaemonError("lsp-cam is still starting. Try again in a moment.")
    return Client(contact)


def absence(runtime: Runtime) -> str:
    """Why no daemon runs, as far as the last one wrote it down."""
    record = runtime.record()
    if record is None or record.state == "stopped":
        return "lsp-cam is not running."
    if record.state == "failed":
        return f"lsp-cam is not running; it failed at {local_time(record.started_s)}: {record.message}"
    when = local_time(runtime.last_beat_s() or record.started_s)
    return f"lsp-cam crashed at about {when} (process {record.pid}). {last_error()}The log is {log_file()}."


def last_error() -> str:
    """The last error in the log, as a sentence; empty if there is none."""
    try:
        with log_file().open("rb") as file:
            file.seek(max(file.seek(0, 2) - 65536, 0))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    errors = [line for line in lines if " ERROR " in line or " CRITICAL " in line]
    return f"Its last error: {errors[-1]} " if errors else ""


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"lsp-cam refused ({answer.status_code}). Look at {log_file()}."

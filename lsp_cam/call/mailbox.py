"""The two sides' way to the rendezvous."""

from __future__ import annotations

import threading
import time

import httpx

from ..errors import CallError
from .address import MAX_SEALED, Address
from .codes import Code, Kind

EVERY_S = 1.0
TIMEOUT_S = 10.0


class Mailbox:
    """Codes left and found at an address; a context manager. Raises CallError if the rendezvous does not answer."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._http = httpx.Client(base_url=f"{address.server}/call/{address.room}", timeout=TIMEOUT_S)

    def __enter__(self) -> Mailbox:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()

    def leave(self, code: Code) -> None:
        """Leave a code for the other side."""
        answer = self._ask("PUT", code.kind, self._address.seal(code))
        if answer.status_code != 201:
            raise CallError(f"The rendezvous {self._address.server} did not take the code: {_detail(answer)}")

    def find(self, kind: Kind) -> Code | None:
        """The other side's code; None while it is not there. CallError if a stranger left something instead."""
        answer = self._ask("GET", kind)
        if answer.status_code in (404, 429):
            return None
        if answer.status_code != 200:
            raise CallError(f"The rendezvous {self._address.server} refuses: {_detail(answer)}")
        return self._address.open(answer.content[: MAX_SEALED + 1], kind)

    def wait(self, kind: Kind, stop: threading.Event, timeout_s: float) -> Code:
        """The other side's code, when it comes; what strangers leave is passed over. CallError after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        strangers = 0
        while time.monotonic() < deadline_s:
            try:
                found = self.find(kind)
            except CallError:
                strangers += 1
                if strangers > 20:
                    raise
                found = None
            if found is not None:
                return found
            if stop.wait(EVERY_S):
                raise CallError("The call was ended before anybody answered.")
        raise CallError(f"Nobody answered within {timeout_s / 60:.0f} minutes. Listen again, with a new address.")

    def _ask(self, method: str, kind: str, content: bytes | None = None) -> httpx.Response:
        try:
            with self._http.stream(method, f"/{kind}", content=content) as answer:
                got = b""
                for part in answer.iter_bytes():
                    got += part
                    if len(got) > 4 * MAX_SEALED:
                        break
            return httpx.Response(answer.status_code, content=got)
        except httpx.HTTPError as error:
            server = self._address.server
            raise CallError(f"The rendezvous {server} cannot be reached ({error}). Is it running? Check it.") from None


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])[:200]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"

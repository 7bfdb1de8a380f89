"""Who may speak to the daemon: the user with the token, from the daemon's own page or without a browser.

Order of the checks: token (401), then the Host that was asked for and the Origin that asks (403), then the
size of the body (413). A cookie proves nothing about who made a request, so with it alone a request that
changes something must also come from the daemon's own page.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 64 * 1024
MAX_BODY_BYTES_OF = {"/api/pose": 8 << 20, "/api/framing": 320 * 320 * 3}
MAX_UPLOAD_BYTES_OF = {"/api/dubs": 512 << 20, "/api/recordings": 4 << 30}  # not kept in memory
MAX_TOKEN = 200
SAFE_METHODS = frozenset({"GET", "HEAD"})
HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; img-src 'self' blob:; media-src 'self' blob:; style-src 'self'; script-src 'self'; "
        b"connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)


class RefusedError(Exception):
    """Why a request is not let through."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token
        self._cookie = f"lsp_cam_{port}"  # cookies do not tell ports apart
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = self._check(scope)
        if answer is None:
            try:
                receive = await _bounded_for(scope, receive)
            except RefusedError as refusal:
                answer = _refusal(refusal, scope)
        await (answer or self._app)(scope, receive, _hardened(send))

    def _check(self, scope: Scope) -> Response | None:
        """The answer to a request that goes no further: a refusal, or the exchange of the link for a cookie."""
        headers = Headers(scope=scope)
        try:
            by_link = self._link_token(scope)
            by_cookie = self._authenticate(headers, by_link)
            self._check_source(scope["method"], headers, by_cookie)
        except RefusedError as refusal:
            return _refusal(refusal, scope)
        if by_link is None:
            return None
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
        return answer

    def _link_token(self, scope: Scope) -> str | None:
        """The token of the page's link, which counts nowhere else."""
        query = scope.get("query_string", b"")
        if scope["method"] != "GET" or scope["path"] != "/" or not query.startswith(b"token="):
            return None
        return bytes(query[len(b"token=") :][:MAX_TOKEN]).decode("latin-1")

    def _authenticate(self, headers: Headers, by_link: str | None) -> bool:
        """Whether it was the cookie that proved who asks; RefusedError if nothing did."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if given or by_link is not None:
            if not self._matches(by_link if by_link is not None else given if scheme.lower() == "bearer" else ""):
                raise RefusedError(401, "The token is wrong. `lsp-cam panel` prints the link that works.")
            return False
        if not self._matches(_cookie(headers, self._cookie)):
            raise RefusedError(401, "This needs the token. `lsp-cam panel` prints the link that works.")
        return True

    def _check_source(self, method: str, headers: Headers, by_cookie: bool) -> None:
        if headers.get("host", "") not in self._hosts:
            raise RefusedError(403, "This answers to 127.0.0.1 only.")
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            raise RefusedError(403, "Another site's page may not ask this.")
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise RefusedError(403, "Another site's page may not ask this.")
        if by_cookie and method not in SAFE_METHODS and origin is None:
            raise RefusedError(403, "A page must say where it comes from (Origin).")

    def _matches(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self._token.encode())


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _bounded_for(scope: Scope, receive: Receive) -> Receive:
    headers, path = Headers(scope=scope), scope["path"]
    if path in MAX_UPLOAD_BYTES_OF and scope["method"] == "POST":
        return _counted(headers, receive, MAX_UPLOAD_BYTES_OF[path])
    return await _bounded(headers, receive, MAX_BODY_BYTES_OF.get(path, MAX_BODY_BYTES))


def _counted(headers: Headers, receive: Receive, most: int) -> Receive:
    """`receive` for a body that is read piece by piece; RefusedError in whoever reads more than `most` bytes of it."""
    _check_declared(headers, most)
    total = 0

    async def counted() -> Message:
        nonlocal total
        message = await receive()
        total += len(message.get("body", b""))
        if total > most:
            raise RefusedError(413, f"The body may have {most} bytes at most.")
        return message

    return counted


def _check_declared(headers: Headers, most: int) -> str:
    declared = headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:12]) > most:
        raise RefusedError(413, f"The body may have {most} bytes at most.")
    return declared


async def _bounded(headers: Headers, receive: Receive, most: int) -> Receive:
    """`receive` for a body that was read whole and has `most` bytes at most."""
    declared = _check_declared(headers, most)
    if declared == "0" and "transfer-encoding" not in headers:
        return receive
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > most:
            raise RefusedError(413, f"The body may have {most} bytes at most.")
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            break
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return replay


def _refusal(refusal: RefusedError, scope: Scope) -> Response:
    if "text/html" in Headers(scope=scope).get("accept", ""):  # a browser's window: an old link, for one
        return PlainTextResponse(refusal.detail, refusal.status)
    return JSONResponse({"detail": refusal.detail}, refusal.status)


def _hardened(send: Send) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *HEADERS]
        await send(message)

    return hardened

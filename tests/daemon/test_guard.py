"""Who may speak to the daemon. The application behind the guard changes something on POST and reads on GET."""

import socket
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request

from lsp_cam.web.guard import MAX_BODY_BYTES, Guard

from .serving import serving

TOKEN = "token-of-this-run"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CHANGES: list[bytes] = []


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = FastAPI()

    @app.get("/")
    @app.get("/read")
    def read() -> str:
        return "secret"

    @app.post("/change")
    async def change(request: Request) -> int:
        CHANGES.append(await request.body())
        return len(CHANGES[-1])

    with serving(lambda port: Guard(app, TOKEN, port)) as port:
        yield port


@pytest.fixture
def changes() -> list[bytes]:
    CHANGES.clear()
    return CHANGES


@pytest.fixture
def client(port: int) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


def filled(headers: dict[str, str], port: int) -> dict[str, str]:
    """`headers` with the server's own port (and the one next to it) filled in."""
    return {name: value.format(port=port, next=port + 1) for name, value in headers.items()}


def test_the_token_opens_everything(client: httpx.Client, changes: list[bytes]):
    assert client.get("/read", headers=BEARER).json() == "secret"
    assert client.post("/change", headers=BEARER, content=b"abc").json() == 3
    assert changes == [b"abc"]


@pytest.mark.parametrize("path", ["/", "/change", "/openapi.json"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Cookie": "lsp_cam_{port}=wrong"},
        {"Cookie": "lsp_cam_{next}=" + TOKEN},
        {"Cookie": "lsp_cam_{port}=" + TOKEN, "Authorization": "Bearer wrong"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
)
def test_without_the_right_token_it_is_401_always(
    client: httpx.Client, port: int, changes: list[bytes], path: str, headers: dict[str, str]
):
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
        answer = client.request(method, path, headers=filled(headers, port))
        assert answer.status_code == 401
        assert "secret" not in answer.text
    assert changes == []


def test_a_window_that_opens_an_old_link_shows_words(client: httpx.Client):
    refused = client.get("/", params={"token": "wrong"}, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (refused.status_code, refused.headers["content-type"]) == (401, "text/plain; charset=utf-8")
    assert refused.text.startswith("The token is wrong.")


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", "\N{SNOWMAN}", "a" * 10_000])
def test_a_wrong_link_sets_no_cookie(client: httpx.Client, token: str):
    answer = client.get("/", params={"token": token})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_the_link_is_exchanged_for_a_cookie_that_scripts_cannot_read(client: httpx.Client, changes: list[bytes]):
    answer = client.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/read").json() == "secret"  # the client keeps the cookie
    assert client.post("/change", content=b"x", headers={"Origin": str(client.base_url)}).status_code == 200
    assert changes == [b"x"]


def test_the_link_counts_nowhere_but_on_the_page(client: httpx.Client):
    assert client.get("/read", params={"token": TOKEN}).status_code == 401
    assert client.post("/change", params={"token": TOKEN}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:{next}"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_cookie_alone_changes_nothing_for_another_page(
    client: httpx.Client, port: int, changes: list[bytes], headers: dict[str, str]
):
    client.get("/", params={"token": TOKEN})
    assert client.post("/change", content=b"x", headers=filled(headers, port)).status_code == 403
    assert changes == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_reads_nothing(client: httpx.Client, site: str):
    client.get("/", params={"token": TOKEN})
    assert client.get("/read", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert client.get("/read", headers={"Origin": "http://evil.example"}).status_code == 403
    answer = client.get("/read", headers=BEARER)
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:{next}"])
def test_a_foreign_host_is_refused_even_with_the_token(
    client: httpx.Client, port: int, changes: list[bytes], host: str
):
    headers = filled({**BEARER, "Host": host}, port)
    assert client.get("/read", headers=headers).status_code == 403
    assert client.post("/change", headers=headers).status_code == 403
    assert changes == []


def test_get_changes_nothing(client: httpx.Client, changes: list[bytes]):
    assert client.get("/change", headers=BEARER).status_code == 405
    assert changes == []


@pytest.mark.parametrize("size", [MAX_BODY_BYTES, MAX_BODY_BYTES + 1])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_are_bounded(client: httpx.Client, changes: list[bytes], size: int, chunked: bool):
    body = bytes(size)
    pieces = iter([body[i : i + 1000] for i in range(0, size, 1000)])
    answer = client.post("/change", headers=BEARER, content=pieces if chunked else body)
    if size <= MAX_BODY_BYTES:
        assert answer.json() == size
        assert changes == [body]
    else:
        assert answer.status_code == 413
        assert changes == []


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 40, "abc", "3, 4"])
def test_absurd_lengths_are_refused(port: int, changes: list[bytes], length: str):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        head = f"POST /change HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        connection.sendall(f"{head}Content-Length: {length}\r\n\r\nabc".encode())
        assert connection.recv(100).split()[1] in (b"400", b"413")
    assert changes == []


def test_every_answer_forbids_foreign_content(client: httpx.Client):
    for answer in (client.get("/read", headers=BEARER), client.get("/read")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"

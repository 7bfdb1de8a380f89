"""What strangers' bytes are thrown at. A target takes any bytes and raises only if a promise was broken."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import struct
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from lsp_cam.call.address import MAX_SEALED, Address, read_address
from lsp_cam.call.codes import KINDS as KINDS_OF_CODES
from lsp_cam.call.codes import code_of, read_code
from lsp_cam.call.opus import OpusDecoder, samples_in
from lsp_cam.call.rendezvous import Rooms, create_rendezvous
from lsp_cam.daemon.core import Daemon, Settings
from lsp_cam.devices.null import NullSource
from lsp_cam.errors import CallError, LspCamError, SubjectError, UsageError
from lsp_cam.manifest import MANIFEST, parse_manifest
from lsp_cam.store import Store
from lsp_cam.trust.networks import check_network
from lsp_cam.trust.signing import SIGNATURE
from lsp_cam.web.app import create_app
from tests.bundles import entry, manifest_fields
from tests.daemon.fakes import FakeLoader

TOKEN = "token-of-this-run"
PORT = 4242
MAX_WORK_S = 5.0
CALL = Address("http://127.0.0.1:1", bytes(16))
KINDS = ("preview.jpg", "face.npz", "speech.onnx", "candidates/0.png", SIGNATURE, "../x", "a/../../b", "notes.txt")


class BrokenPromiseError(AssertionError):
    """What a target raises."""


@cache
def room() -> Path:
    """A folder for everything; on disk nothing is waited for."""
    os.fsync = lambda descriptor: None
    return Path(tempfile.mkdtemp(prefix="lsp-cam-fuzz-"))


def manifest(data: bytes) -> None:
    """The manifest of a bundle, and its consent."""
    with suppress(SubjectError):
        found = parse_manifest(data, "fuzz")
        found.consent.lines()


def network(data: bytes) -> None:
    """An ONNX file."""
    with suppress(SubjectError):
        check_network(data, "fuzz")


def bundle(data: bytes) -> None:
    """An archive: the bytes as they are, or (an odd first byte) a whole one that is built of them."""
    folder = room()
    file, home = folder / "in.lspcam", folder / "home"
    file.write_bytes(built(data[1:]) if data[:1] and data[0] & 1 else data[1:])
    store = Store(home, folder / "none")
    try:
        with suppress(LspCamError):
            subject = store.install(file, replace=True)
            subject.verify()
            for path in subject.manifest.files:
                subject.read(path)
        beside = {path.name for path in folder.iterdir()} - {"in.lspcam", "home"}
        inside = {path.name for path in (home / "subjects").iterdir()} - {".lock"}
        if beside or not all(name.isascii() and not name.startswith(".") for name in inside):
            raise BrokenPromiseError(f"written outside the store, or left behind: {beside or inside}")
        if any(path.is_symlink() for path in home.rglob("*")):
            raise BrokenPromiseError("a link in the store")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def built(data: bytes) -> bytes:
    """An archive whose checksums fit, of members that `data` names, sizes and fills."""
    members, at = [], 0
    while at + 4 <= len(data) and len(members) < 70:
        kind, flags, size = struct.unpack_from("<BBH", data, at)
        members.append((KINDS[kind % len(KINDS)], flags, data[at + 4 : at + 4 + size]))
        at += 4 + size
    listed = {path: entry(body) for path, flags, body in members if not flags & 1}
    raw = json.dumps({"format": 1, **manifest_fields("fuzz"), "files": listed}).encode()
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # a name twice is what is meant
        archive.writestr(MANIFEST, raw)
        for path, flags, body in members:
            info = zipfile.ZipInfo(path)
            info.external_attr = 0o120777 << 16 if flags & 2 else 0o644 << 16
            info.compress_type = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[flags >> 2 & 1]
            archive.writestr(info, body)
    return buffer.getvalue()


def control(data: bytes) -> None:
    """The control interface: a request line, headers and a body, split at line ends, as a server would hand them on."""
    head, _, body = data.partition(b"\n\n")
    lines = head.split(b"\n")
    method, _, target = lines[0].partition(b" ")
    path, _, query = target.partition(b"?")
    headers = [(k.lower().strip(), v.strip()) for k, _, v in (line.partition(b":") for line in lines[1:40])]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        "method": method.decode("latin-1").upper() or "GET", "path": path.decode("utf-8", "replace") or "/",
        "raw_path": path, "query_string": query, "root_path": "", "headers": headers,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", PORT),
    }  # fmt: skip
    app, changes, loop = _application()
    changes.clear()
    status = loop.run_until_complete(_asked(app, scope, body))
    if status >= 500 and scope["path"] != "/live":
        raise BrokenPromiseError(f"answered {status}")
    known = TOKEN.encode() in head
    if (changes or status < 400) and not known:
        raise BrokenPromiseError(f"answered {status} and did {changes} without the token")
    if changes and scope["method"] != "POST":
        raise BrokenPromiseError(f"{scope['method']} did {changes}")


async def _asked(app: Any, scope: dict[str, Any], body: bytes) -> int:
    found, given = [], False

    async def receive() -> dict[str, Any]:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            found.append(message["status"])

    await app(scope, receive, send)
    return int(found[0])


@cache
def _application() -> tuple[Any, list[str], asyncio.AbstractEventLoop]:
    """The real application before a daemon whose subject has no networks, which notes what it is asked to change."""
    folder = Path(tempfile.mkdtemp(prefix="lsp-cam-fuzz-"))
    loader: Any = FakeLoader(store=Store(folder, folder / "none"))
    daemon = Daemon(loader.find("anna"), loader, NullSource, None, Settings(fps=1))
    daemon.begin()
    daemon.end()  # the workers are not what is looked at; what they wrote last stays
    changes: list[str] = []

    def noting(name: str) -> Callable[..., None]:
        return lambda *given: changes.append(name)

    for name in ("switch", "steer", "behave", "reset", "mute", "pause", "mirror", "hear_from", "reframe"):
        setattr(daemon, name, noting(name))
    return create_app(daemon, TOKEN, PORT, folder / "work"), changes, asyncio.new_event_loop()


def signalling(data: bytes) -> None:
    """What two sides of a call pass on: a code or a session description, what seals it, a request to the rendezvous."""
    text = data.decode("utf-8", "replace")
    for kind in KINDS_OF_CODES:
        with suppress(CallError):
            code = read_code(text, kind)
            if read_code(code.text(), kind) != code:
                raise BrokenPromiseError("a code that reads otherwise once it is written")
        with suppress(CallError, ValueError):
            code_of(text, kind).text()
        with suppress(LspCamError):
            CALL.open(data, kind)
            raise BrokenPromiseError("a stranger's words were taken for the other side's")
    with suppress(UsageError):
        read_address(text)
    rooms = Rooms()
    path, _, body = data.partition(b"\n")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": "PUT",
        "path": "/call/" + path.decode("utf-8", "replace"), "raw_path": path, "query_string": b"", "root_path": "",
        "headers": [], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", PORT),
    }  # fmt: skip
    if asyncio.run(_asked(create_rendezvous(rooms), scope, body)) >= 500:
        raise BrokenPromiseError("the rendezvous stumbled")
    if len(rooms) and len(body) > MAX_SEALED:
        raise BrokenPromiseError("the rendezvous took too much")
    with suppress(CallError):
        samples_in(data)
        OpusDecoder().decode(data)


def timed(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """`target`, which may work for MAX_WORK_S on one input."""

    def run(data: bytes) -> None:
        began_s = time.process_time()
        target(data)
        if (took_s := time.process_time() - began_s) > MAX_WORK_S:
            raise BrokenPromiseError(f"worked for {took_s:.1f} s")

    return run


TARGETS: dict[str, Callable[[bytes], None]] = {
    "bundle": bundle, "manifest": manifest, "network": network, "control": control, "signalling": signalling,
}  # fmt: skip

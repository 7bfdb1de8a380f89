"""Somebody on air, and somebody who may ask the panel's server for things."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from lsp_cam.store import Store
from lsp_cam.web.app import create_app

from ..bundles import tiny_bundle
from ..daemon.fakes import FakeLoader
from ..daemon.serving import serving
from ..daemon.test_core import on_air

TOKEN = "t"


@contextmanager
def asking(folder: Path) -> Iterator[httpx.Client]:
    """`anna`, of `folder`/home, is on air; what the panel keeps lies in `folder`/panel. Both may be there already."""
    home = folder / "home"
    if not home.exists():
        tiny_bundle(home / "subjects", "anna")
    with (
        on_air(FakeLoader(store=Store(home, folder / "none"))) as daemon,
        serving(lambda port: create_app(daemon, TOKEN, port, folder / "panel")) as port,
    ):
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=90) as client:
            yield client
        daemon.stop.set()  # ends the streams, so that the server can

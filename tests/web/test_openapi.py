"""schemathesis reads the description and tries what it allows and what it does not: it finds nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lsp_cam.daemon.hearing import judge
from lsp_cam.web import changing

from .asking import TOKEN, asking

EXAMPLES = 20
PROGRAM = Path(sys.executable).with_name("schemathesis")
# A description cannot say all that must hold (a track for the mode `track`, an even size): 422 tells it, in words.
CONFIG = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "422"]
"""


def test_schemathesis_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changing, "listen", lambda level_dbfs, seconds, stop: judge([level_dbfs()]))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with asking(tmp_path) as client:
        done = subprocess.run(
            [
                PROGRAM, "--config-file", tmp_path / "schemathesis.toml", "run",
                str(client.base_url.join("/api/openapi.json")), "--header", f"Authorization: Bearer {TOKEN}",
                "--max-examples", str(EXAMPLES), "--seed", "7", "--workers", "1", "--no-color",
                "--exclude-path", "/api/stop", "--suppress-health-check", "all", "--generation-database", "none",
            ],
            capture_output=True, text=True, timeout=240, cwd=tmp_path, env={**os.environ, "NO_PROXY": "*"},
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-9000:] + done.stderr[-2000:]

"""Who has a camera open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lsp_cam.devices.readers import readers_of


def test_other_programs_that_have_it_open_are_named(tmp_path: Path) -> None:
    device = tmp_path / "video9"
    device.touch()
    code = "import sys; file = open(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    reader = subprocess.Popen([sys.executable, "-c", code, str(device)], stdin=-1, stdout=-1)
    assert reader.stdout is not None
    reader.stdout.readline()
    with device.open():
        found = readers_of(str(device))
    name = Path(f"/proc/{reader.pid}/comm").read_text().strip()
    reader.communicate()
    assert found == (name,)
    assert readers_of(str(device)) == ()


def test_where_nothing_is_to_be_seen_nobody_reads(tmp_path: Path) -> None:
    assert readers_of("/dev/video0", tmp_path / "no-proc") == ()

"""What loads what: the public door is light, and a daemon on air holds no training library."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

HEAVY = {"faiss", "torch", "onnx", "scipy", "mediapipe", "matplotlib"}
ON_AIR = """
import sys, threading
from pathlib import Path
import lsp_cam.web.__main__, lsp_cam.cli.main
from lsp_cam.backends.choose import open_engine
from lsp_cam.daemon.core import Daemon
from lsp_cam.daemon.loading import Loader
from lsp_cam.devices.null import NullSink, NullSource
from lsp_cam.store import Store
from lsp_cam.subject import Subject
sink = NullSink()
daemon = Daemon(Subject.open(Path(sys.argv[1])), Loader(Store(), open_engine(threads=1)), NullSource, sink)
daemon.begin()
threading.Event().wait(1.0)
daemon.end()
assert daemon.camera.sent > 5, daemon.camera.sent
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def run(code: str, *arguments: str) -> set[str]:
    got = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert got.returncode == 0, got.stderr
    return set(got.stdout.split())


def test_a_daemon_on_air_holds_no_training_library(reference_bundle: Any) -> None:
    loaded = run(ON_AIR, str(reference_bundle().root))
    assert {"onnxruntime", "cv2"} <= loaded  # it is the whole chain that ran
    assert not loaded & HEAVY


def test_the_public_door_is_light() -> None:
    loaded = run("import sys, lsp_cam; print(*{name.partition('.')[0] for name in sys.modules})")
    assert not loaded & {"numpy", "cv2", "onnxruntime", "faiss", "pydantic", "fastapi", "torch", "typer"}

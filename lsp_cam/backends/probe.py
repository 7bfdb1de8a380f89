"""Whether an engine for graphics cards works here, found out in a process of its own: its libraries may crash."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from ..folders import install_command
from .cuda import has_driver

TIMEOUT_S = 60.0
CODE = """
import json, sys
from lsp_cam.backends.cuda import Cuda
from lsp_cam.backends.trt import Library
from lsp_cam.errors import LspCamError
try:
    library = Library(sys.argv[1])
    device = Cuda().device()
    library.trt.Runtime(library.logger)
    print(json.dumps({"version": library.version, "device": device}))
except LspCamError as error:
    print(json.dumps({"why": str(error)}))
"""


@dataclass(frozen=True)
class Found:
    """An engine: does it work here, by which version on which device; and if not, why not."""

    name: str
    usable: bool
    version: str = ""
    device: str = ""
    why: str = ""


def look(name: str, module: str, code: str = CODE) -> Found:
    """What the engine `name`, whose library is the Python `module`, can do here. Without a driver nothing is loaded."""
    if find_spec(module) is None:
        return Found(name, False, why=f"not installed; {install_command('rtx')}")
    if not has_driver():
        return Found(name, False, why="NVIDIA's driver is not here; it can build engines only")
    try:
        child = subprocess.run(
            [sys.executable, "-c", code, name], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        told = json.loads(child.stdout)
    except subprocess.TimeoutExpired:
        return Found(name, False, why=f"its library did not answer within {TIMEOUT_S:.0f} s")
    except ValueError:
        return Found(name, False, why=f"its library ends the process (status {child.returncode})")
    if "why" in told:
        return Found(name, False, why=told["why"])
    return Found(name, True, told["version"], told["device"])

"""Whether an engine for graphics cards works here, found out in a process of its own: its libraries may crash."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec

from ..folders import install_command
from .cuda import has_driver
from .providers import PROVIDERS

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

# y = x + x for two floats: enough to see whether a provider starts and computes.
DOUBLE = (
    "08083a350a0e0a01780a017812017922034164641201675a0f0a0178120a0a08080112040a020802"
    "620f0a0179120a0a08080112040a02080242040a00100d"
)
PROVIDER_CODE = f"""
import json, sys, tempfile
from pathlib import Path
import numpy as np
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.backends.providers import PROVIDERS
from lsp_cam.errors import LspCamError
name = sys.argv[1]
try:
    engine = OrtEngine(1, provider=name, folder=Path(tempfile.gettempdir()))
    got = engine.load(bytes.fromhex("{DOUBLE}"), "probe").run({{"x": np.float32([1, 2])}})["y"]
    told = {{"version": engine.version, "device": PROVIDERS[name].ort}}
    print(json.dumps(told if got.tolist() == [2.0, 4.0] else {{"why": "it computes wrongly"}}))
except LspCamError as error:
    print(json.dumps({{"why": str(error)}}))
"""


@dataclass(frozen=True)
class Found:
    """An engine: does it work here, by which version on which device; and if not, why not."""

    name: str
    usable: bool
    version: str = ""
    device: str = ""
    why: str = ""


def how_to_get(name: str) -> str:
    """The command that installs the library of an engine for graphics cards."""
    if name == "tensorrt":  # no extra has it: it is gigabytes, and of use on few machines
        return f"{sys.executable} -m pip install tensorrt onnx 'cuda-bindings>=13'"
    return install_command("rtx")


def look(name: str, module: str, code: str = CODE) -> Found:
    """What the engine `name`, whose library is the Python `module`, can do here. Without a driver nothing is loaded."""
    if find_spec(module) is None:
        return Found(name, False, why=f"not installed; {how_to_get(name)}")
    if not has_driver():
        return Found(name, False, why="NVIDIA's driver is not here; it can build engines only")
    return _ask(name, code)


def look_provider(name: str, code: str = PROVIDER_CODE) -> Found:
    """What the provider `name` of ONNX Runtime can do here; nothing is loaded unless the build has it."""
    provider = PROVIDERS[name]
    import onnxruntime

    if provider.ort not in onnxruntime.get_available_providers():
        return Found(name, False, why=f"this onnxruntime has no {provider.ort}; the package {provider.package} may")
    return _ask(name, code)


def _ask(name: str, code: str) -> Found:
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

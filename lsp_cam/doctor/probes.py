"""What `doctor` asks of foreign libraries, each in a process of its own: `python -m lsp_cam.doctor NAME`.

A library that crashes or hangs takes this process along and nothing else. The answer is a JSON object on
the last line of stdout, since libraries print things too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

TIMEOUT_S = 30.0
VIDEO_ENCODERS = ("libx264", "aac")

Answer = dict[str, Any]


def audio() -> Answer:
    """PortAudio's version, and the names of the devices that give sound."""
    try:
        import sounddevice
    except OSError as error:  # the package is there, the system's library is not
        return {"version": None, "inputs": [], "problem": str(error)}
    devices = [d["name"] for d in sounddevice.query_devices() if d["max_input_channels"] > 0]
    return {"version": sounddevice.get_portaudio_version()[1], "inputs": devices}


def engine() -> Answer:
    """ONNX Runtime's version and where it can run networks."""
    import onnxruntime

    return {"version": onnxruntime.__version__, "providers": onnxruntime.get_available_providers()}


def codecs() -> Answer:
    """The encoders that a video file needs and FFmpeg lacks."""
    import av

    return {"version": av.__version__, "missing": [c for c in VIDEO_ENCODERS if c not in av.codecs_available]}


def subject() -> Answer:
    """The subject that `start` would show, read whole; if it is damaged, which one, and where it lies."""
    from ..config import load
    from ..errors import BundleError, SubjectNotFound
    from ..store import Store

    name, store = load().subject, Store()
    try:
        found = store.get(name) if name else store.default()
    except SubjectNotFound as error:
        broken = next((e for e in store.entries() if not e.subject and name in (None, e.name)), None)
        where = {"name": broken.name, "root": str(broken.root)} if broken else {}
        return {"problem": broken.problem if broken else str(error), "wanted": name, "broken": where}
    except BundleError as error:
        return {"problem": str(error), "broken": {"name": name, "root": str(store.find(str(name)))}}
    try:
        found.verify()
    except BundleError as error:
        return {"problem": str(error), "broken": {"name": found.name, "root": str(found.root)}}
    return {"name": found.name, "title": found.manifest.title}


def server() -> Answer:
    """The sound server's microphones (monitors of loudspeakers and LSP Mic are none), and which is its usual one."""
    import pulsectl

    from ..devices.virtualmic import SOURCE

    with pulsectl.Pulse("lsp-cam doctor") as asked:
        found = [s for s in asked.source_list() if not s.name.endswith(".monitor") and s.name != SOURCE]
        microphones = [
            {"name": s.name, "label": s.description or s.name, "mute": bool(s.mute), "volume": s.volume.value_flat}
            for s in found
        ]
        return {"microphones": microphones, "default": asked.server_info().default_source_name}


def makers() -> Answer:
    """What may have compiled the networks that are kept: library, version and device."""
    from ..backends.choose import survey
    from ..backends.trt import ANY_DEVICE, BUILT_HERE, Library
    from ..errors import LspCamError

    found = [(one.name, one.version, one.device) for one in survey() if one.usable and one.name != BUILT_HERE]
    with suppress(LspCamError):  # it is not installed
        found.append((BUILT_HERE, Library(BUILT_HERE).version, ANY_DEVICE))
    return {"makers": found}


def voice() -> Answer:
    """The virtual microphone that there would be."""
    from ..devices.virtualmic import virtual_microphone

    return {"device": virtual_microphone().describe()}


def camera() -> Answer:
    """A virtual camera, opened and closed again (where the system has no list of them)."""
    import pyvirtualcam

    with pyvirtualcam.Camera(width=640, height=480, fps=30) as opened:
        return {"device": opened.device}


PROBES: dict[str, Callable[[], Answer]] = {
    f.__name__: f for f in (audio, server, engine, makers, codecs, subject, camera, voice)
}


def ask(name: str, timeout_s: float = TIMEOUT_S) -> Answer:
    """The answer of a probe; where there is none, an object with `problem`."""
    package = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(p for p in (str(package.parent), os.environ.get("PYTHONPATH")) if p)
    # -P: a file in the user's folder that is called like a library must not be run in its place.
    command = [sys.executable, "-P", "-m", __package__, name]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=timeout_s, env={**os.environ, "PYTHONPATH": path}, check=False
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"problem": f"gives no answer in {timeout_s:g} s"}
    except OSError as error:
        return {"problem": f"cannot be asked ({error})"}
    except (ValueError, IndexError):
        return {"problem": f"crashes (exit status {done.returncode})"}
    return found if isinstance(found, dict) else {"problem": "gives no sensible answer"}


def answer(name: str) -> None:
    """Run one probe and print its answer; what it raises is an answer too."""
    try:
        found = PROBES[name]()
    except Exception as error:
        found = {"problem": str(error) or type(error).__name__, "module": getattr(error, "name", None)}
    print("\n" + json.dumps(found), flush=True)

"""A machine to break: this one, in a mount namespace of its own, where every change to it is thrown away.

Programs, packages, settings and this checkout lie under a layer of memory that goes with the namespace. Needs root.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERED = ("/usr", "/etc", "/var", sys.prefix, str(ROOT))
TIMEOUT_S = 250
MADE = "made"
LAYER = """
set -e
mount -t tmpfs layers {layers}
for place in {places}; do
  name=$(echo "$place" | tr / _)
  mkdir -p {layers}/$name/upper {layers}/$name/work
  mount -t overlay lsp -o "lowerdir=$place,upperdir={layers}/$name/upper,workdir={layers}/$name/work" "$place"
done
echo {made}
exec sleep infinity
"""


class Machine:
    """Runs shell commands in the namespace of `process`, each in a shell of its own; `environ` is theirs.

    Without a process they run on this machine as it is.
    """

    def __init__(self, process: subprocess.Popen[str] | None = None, *, network: bool = False) -> None:
        self.environ = dict(os.environ)
        self.environ["PATH"] = f"{sys.prefix}/bin:{os.environ['PATH']}"
        self._enter: list[str] = []
        if process is not None:
            self._enter = ["nsenter", "--target", str(process.pid), "--mount", *(["--net"] if network else [])]

    def run(self, command: str, *, bounds: tuple[str, ...] = ()) -> str:
        """What `command` prints; AssertionError, with all that it said, if it fails. `bounds`: what to run it under."""
        done = subprocess.run(
            [*self._enter, *bounds, "sh", "-ec", command],
            env=self.environ, cwd="/", input="y\n", capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@contextmanager
def machine(layers: Path, *, network: bool = False) -> Iterator[Machine]:
    """A machine to break; `layers`: an empty folder. `network`: its network is its own, too, and down."""
    script = LAYER.format(layers=shlex.quote(str(layers)), places=shlex.join(LAYERED), made=MADE)
    unshare = ["unshare", "--mount", *(["--net"] if network else []), "sh", "-c", script]
    process = subprocess.Popen(unshare, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.strip() == MADE, said + process.stdout.read()
        yield Machine(process, network=network)
    finally:
        process.kill()
        process.communicate()

"""Engines on disk: a network as one library compiled it for one device, in the folder `engines/`.

A file holds a line of JSON (what it was made of, by what and for what, and its checksum), then the engine. Whatever
does not agree with that line is as good as not there, and is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import ModelError

SUFFIX = ".plan"
FORMAT = 1


@dataclass(frozen=True)
class Maker:
    """What compiled an engine: the library, its version, and the device that it compiled for ("any": all it knows)."""

    library: str
    version: str
    device: str

    def file_name(self, model: str) -> str:
        """The file of the model with this checksum."""
        device = re.sub(r"[^a-z0-9]+", "-", self.device.lower()).strip("-")
        return f"{self.library}-{self.version}-{device}-{model[:16]}{SUFFIX}"


@dataclass(frozen=True)
class Plans:
    """The engines in `folder`, which need not exist."""

    folder: Path

    def get(self, model: bytes, maker: Maker) -> bytes | None:
        """The engine of the ONNX file `model`; None if there is none, or it is damaged or of another make."""
        checksum = _checksum(model)
        try:
            head, _, plan = (self.folder / maker.file_name(checksum)).read_bytes().partition(b"\n")
        except OSError:
            return None
        return plan if head == _head(checksum, maker, plan) else None

    def put(self, model: bytes, maker: Maker, plan: bytes) -> None:
        """Keep an engine. Raises ModelError if the folder cannot be written."""
        checksum = _checksum(model)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(dir=self.folder, prefix=".part-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_head(checksum, maker, plan) + b"\n")
                    file.write(plan)
                os.replace(part, self.folder / maker.file_name(checksum))
            except OSError:
                Path(part).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ModelError(
                f"{self.folder} cannot be written ({error.strerror}). Make room or change its rights."
            ) from None

    def files(self) -> list[Path]:
        """All engines, by name."""
        return sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else []

    def unfit(self, makers: Iterable[Maker]) -> dict[Path, str]:
        """The engines that none of `makers` would take, and why."""
        known = set(makers)
        found: dict[Path, str] = {}
        for file in self.files():
            made = _made(file)
            if made is None:
                found[file] = "damaged"
            elif made not in known:
                found[file] = f"made by {made.library} {made.version} for {made.device}"
        return found

    def clean(self) -> int:
        """Delete all engines, and what a killed build left; gives how many engines there were."""
        files = self.files()
        for file in (*files, *self.folder.glob(".part-*")):
            file.unlink(missing_ok=True)
        return len(files)


def _made(file: Path) -> Maker | None:
    """What made an engine; None if it is not whole."""
    try:
        head, _, plan = file.read_bytes().partition(b"\n")
        told = json.loads(head)
        made, model = Maker(told["library"], told["version"], told["device"]), told["model"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return made if head == _head(model, made, plan) else None


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _head(model: str, maker: Maker, plan: bytes) -> bytes:
    made = {"format": FORMAT, "model": model, **asdict(maker), "sha256": _checksum(plan)}
    return json.dumps(made, sort_keys=True).encode()

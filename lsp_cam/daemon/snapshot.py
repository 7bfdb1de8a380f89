"""A snapshot on disk: all of it or nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np

from ..errors import UsageError

KINDS = (".png", ".jpg", ".jpeg")


def check_kind(file: Path) -> None:
    """UsageError unless `file` names a picture that can be written."""
    if file.suffix.lower() not in KINDS:
        raise UsageError(f"{file}: name a .png or .jpg file.")
    if not file.parent.is_dir():
        raise UsageError(f"{file}: there is no folder {file.parent}. Make it first.")


def save(png: bytes, file: Path) -> None:
    """Write a PNG's picture to `file`, in its format; the file appears when it is complete."""
    data = png
    if file.suffix.lower() != ".png":
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None, "the daemon sends PNG"
        done, encoded = cv2.imencode(".jpg", picture)
        assert done, "OpenCV always has JPEG"
        data = encoded.tobytes()
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".lsp-cam-", delete=False) as handle:
            temporary = Path(handle.name)
            handle.write(data)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # as any file that the user makes
        os.replace(temporary, file)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise UsageError(f"{file} cannot be written ({error.strerror}). Choose another place.") from None

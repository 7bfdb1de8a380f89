"""`subject faces`: faces in pictures that another program sends; the panel asks it while it records."""

from __future__ import annotations

import json
import struct
import sys
from typing import Any

CHANNELS = 3
HEAD = struct.Struct("<II")
MOST_SIDE = 4096


def faces() -> None:
    """Find faces in pictures from standard input.

    Each picture is its width and height (32 bits each, little-endian) and then its pixels, row after row, three bytes
    (RGB) each. Each is answered by a line of JSON: the faces, the largest first, centre (x, y) and side of the box as
    shares of width, height and height. Needs the train extra.
    """
    finder = _finder()
    while head := sys.stdin.buffer.read(HEAD.size):
        picture = _picture(head)
        height, width = picture.shape[:2]
        found = [{"x": f.x / width, "y": f.y / height, "side": f.side / height} for f in finder.find(picture)]
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def _picture(head: bytes) -> Any:
    """The picture (H, W, 3) that follows; UsageError where it does not."""
    import numpy as np

    from ..errors import UsageError

    width, height = HEAD.unpack(head) if len(head) == HEAD.size else (0, 0)
    if not (0 < width <= MOST_SIDE and 0 < height <= MOST_SIDE):
        raise UsageError("A picture begins with its width and height, 1 to 4096, as two numbers of 32 bits.")
    pixels = sys.stdin.buffer.read(CHANNELS * width * height)
    if len(pixels) < CHANNELS * width * height:
        raise UsageError(f"The picture ends too early: {CHANNELS * width * height} bytes were announced.")
    return np.frombuffer(pixels, np.uint8).reshape(height, width, CHANNELS)


def _finder() -> Any:
    """What finds them; MissingExtra where what it is built on is not installed."""
    from ..errors import MissingExtra
    from ..folders import install_command

    try:
        from ..train.prepare.mesh import FaceFinder

        return FaceFinder()
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("lsp_cam"):
            raise
        raise MissingExtra(
            f"Finding faces needs {error.name}, which is not installed. Run: {install_command('train')}"
        ) from None

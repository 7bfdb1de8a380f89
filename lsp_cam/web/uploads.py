"""Files that a page sends: streamed to a folder of ours, within a bound, under a name that we choose."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from starlette.requests import ClientDisconnect, Request

from ..errors import DeviceError, UsageError

ROOM_LEFT_BYTES = 1 << 30
KINDS = (".wav", ".mp3", ".m4a", ".ogg", ".opus", ".flac", ".webm", ".mp4", ".mkv", ".mov", ".avi")


async def receive(request: Request, folder: Path, name: str) -> Path:
    """The request's body as a file in `folder`; `name` is what the user calls it, of which only the ending is used.

    Raises UsageError for an ending that is none of KINDS or a body that stops in the middle, DeviceError for a full
    disk. Whatever goes wrong, nothing is left of it. The guard has bounded the body.
    """
    ending = Path(name).suffix.lower()
    if ending not in KINDS:
        raise UsageError(f"Send a recording: one of {', '.join(KINDS)}.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{secrets.token_hex(8)}{ending}"
    size = 0
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            async for piece in request.stream():
                if shutil.disk_usage(folder).free < ROOM_LEFT_BYTES:
                    raise DeviceError("The disk is nearly full. Make room, then send the file again.")
                out.write(piece)
                size += len(piece)
        if not size:
            raise UsageError("The file is empty. Choose another one.")
    except BaseException as error:
        file.unlink(missing_ok=True)
        if isinstance(error, ClientDisconnect):
            raise UsageError("The file did not arrive whole. Send it again.") from None
        if isinstance(error, OSError):
            raise DeviceError(f"The file cannot be kept ({error.strerror}). Make room, then send it again.") from None
        raise
    return file

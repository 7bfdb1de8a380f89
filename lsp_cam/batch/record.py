"""What a batch has done already: beside every film, in a hidden file, of what it was made and which bytes it has."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from .listing import Clip
from .work import Job


def key_of(job: Job, clip: Clip, sealed: bool) -> str:
    """All that a film depends on: the recording's bytes, the subject, the options; not who makes it."""
    rendering = job.rendering
    track = job.steering.track
    settings = [
        rendering.version, rendering.digest, repr(rendering.config), rendering.engine, job.fps, repr(job.manner),
        job.words, sealed,
        job.steering.mode, job.steering.mirror, "" if track is None else hashlib.sha256(track.tobytes()).hexdigest(),
        clip.film.suffix.lower(), sha256_of(clip.recording),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def is_done(clip: Clip, key: str) -> bool:
    """Whether the film is there, made of `key`, and intact."""
    try:
        noted = json.loads(_note(clip).read_bytes())
        return bool(noted["of"] == key and noted["is"] == sha256_of(clip.film))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def note_done(clip: Clip, key: str) -> None:
    """Remember that the film as it lies there was made of `key`."""
    note = _note(clip)
    part = note.with_name(f"{note.name}.part")
    part.write_text(json.dumps({"of": key, "is": sha256_of(clip.film)}))
    os.replace(part, note)


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _note(clip: Clip) -> Path:
    return clip.film.with_name(f".{clip.film.name}.done")

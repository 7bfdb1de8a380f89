"""Phones of held-out speech: given beside the video, or found by pocketsphinx with the model that it carries."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from pocketsphinx import Decoder

from lsp_cam.errors import AudioError, UsageError
from lsp_cam.packets import SAMPLE_RATE_HZ, Float32

SILENCE = "SIL"
PIECE_S = 12.0
_NOISES = ("<", "[", "+")
_NO_WORDS = ("sil", "sp", "")


@dataclass(frozen=True)
class Phone:
    """One ARPAbet phone (without stress), or SIL."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Found:
    """Phones on the timeline of the held-out part, and where they are from."""

    phones: list[Phone]
    source: str


def beside(video: Path, what: str) -> Path | None:
    """`NAME.what.json` or `what.json` beside the video."""
    named = (video.with_name(f"{video.stem}.{what}.json"), video.with_name(f"{what}.json"))
    return next((path for path in named if path.is_file()), None)


def find_phones(video: Path, samples: Float32, start_s: float) -> Found:
    """Phones of `samples` (N,), which begin at `start_s` of the video; AudioError if nobody speaks in them."""
    end_s = start_s + len(samples) / SAMPLE_RATE_HZ
    given, words = beside(video, "phones"), beside(video, "words")
    if given is not None:
        listed = _read(given, "phones", ("name", "start", "end"))
        phones, source = [Phone(n.rstrip("012"), float(a), float(b)) for n, a, b in listed], given.name
    elif words is not None:
        spoken = [(w, float(a), float(b)) for a, b, w in _read(words, "words", ("start", "end", "word"))]
        phones, source = list(_aligned(samples, start_s, spoken)), f"pocketsphinx, told {words.name}"
    else:
        phones, source = list(_recognised(samples, start_s)), "pocketsphinx, by ear"
    moved = [Phone(p.name, p.start_s - start_s, p.end_s - start_s) for p in phones if start_s <= p.start_s < end_s]
    if all(phone.name == SILENCE for phone in moved):
        raise AudioError(f"{video.name} has no speech in it. Choose footage of somebody who talks.")
    return Found(moved, source)


def _read(path: Path, key: str, columns: tuple[str, ...]) -> list[list[Any]]:
    try:
        rows = json.loads(path.read_text())[key]
        if all(len(row) == len(columns) for row in rows):
            return list(rows)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise UsageError(f'{path} must hold {{"{key}": [[{", ".join(columns)}], …]}}. Mend it or take it away.')


def _aligned(samples: Float32, start_s: float, words: list[tuple[str, float, float]]) -> Iterator[Phone]:
    """Phones of known words, sentence by sentence: a pause is a sentence's end."""
    sentence: list[tuple[str, float, float]] = []
    for word in (*words, ("", 0.0, 0.0)):
        if word[0] not in _NO_WORDS:
            sentence.append(word)
        elif sentence:
            # a little of the pause around it, so that the aligner hears where the first and last phone really end
            first, last = max(start_s, sentence[0][1] - 0.3), sentence[-1][2] + 0.3
            piece = _cut(samples, first - start_s, last - start_s)
            if len(piece) > SAMPLE_RATE_HZ // 10:
                heard = hear(piece, first, " ".join(w for w, _, _ in sentence))
                yield from (phone for phone in heard if phone.name != SILENCE)
            sentence = []
    yield from (Phone(SILENCE, a, b) for word, a, b in words if word in _NO_WORDS)


def _recognised(samples: Float32, start_s: float) -> Iterator[Phone]:
    """Phones of whatever is said, in pieces that end where it is quietest."""
    ends = [0.0]
    while (left := len(samples) / SAMPLE_RATE_HZ - ends[-1]) > 1.5 * PIECE_S:
        ends.append(_quietest(samples, ends[-1] + 0.5 * PIECE_S, ends[-1] + PIECE_S))
    ends.append(ends[-1] + left)
    for first, last in pairwise(ends):
        yield from hear(_cut(samples, first, last), start_s + first, None)


def _cut(samples: Float32, first_s: float, last_s: float) -> Float32:
    return samples[max(0, round(first_s * SAMPLE_RATE_HZ)) : max(0, round(last_s * SAMPLE_RATE_HZ))]


def _quietest(samples: Float32, first_s: float, last_s: float, window_s: float = 0.1) -> float:
    """The middle (s) of the window with the least energy."""
    piece, width = _cut(samples, first_s, last_s).astype(np.float64), round(window_s * SAMPLE_RATE_HZ)
    energy = np.convolve(piece**2, np.ones(width), "valid")
    return first_s + (int(energy.argmin()) + width / 2) / SAMPLE_RATE_HZ


def hear(samples: Float32, start_s: float, text: str | None) -> Iterator[Phone]:
    """Phones of a piece (N,) that begins at `start_s`: its words (`text`, or by a language model), then theirs."""
    decoder: Any = Decoder(loglevel="FATAL") if text is None else Decoder(lm=None, loglevel="FATAL")
    sound = (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
    try:
        if text is not None:
            decoder.set_align_text(text)
        _listen(decoder, sound)
        decoder.set_alignment()
        _listen(decoder, sound)
        found = _timed(decoder.get_alignment())
    except RuntimeError:  # a word that the dictionary lacks, or sound in which the text is not to be found
        found = list(hear(samples, 0.0, None)) if text is not None else []
    for phone in found:
        yield Phone(phone.name, start_s + phone.start_s, start_s + phone.end_s)


def _timed(alignment: Any) -> list[Phone]:
    """Phones of an alignment; its words are good only while it is held and gone through."""
    found = []
    for word in alignment or ():
        silent = word.name.startswith(_NOISES)
        for phone in word:
            name = SILENCE if silent else str(phone.name)
            found.append(Phone(name, phone.start / 100, (phone.start + phone.duration) / 100))
    return found


def _listen(decoder: Any, sound: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()

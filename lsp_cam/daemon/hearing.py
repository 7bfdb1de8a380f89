"""Whether a microphone is good to speak into: what was heard in a few seconds, in plain words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

EVERY_S = 0.05
QUIET_DBFS = -55.0
FAINT_DBFS = -38.0
LOUD_DBFS = -7.0
NEAR_DB = 12.0

Verdict = Literal["good", "silent", "quiet", "loud", "noisy"]
ADVICE: dict[Verdict, str] = {
    "good": "You are heard well.",
    "silent": "Nothing was heard. Speak, unmute the microphone, or choose another one.",
    "quiet": "You are heard, but faintly. Come closer, or turn the microphone's level up.",
    "loud": "That is too loud, and will crackle. Move away, or turn the microphone's level down.",
    "noisy": "There is nearly as much noise as speech. Go where it is quieter, or come closer.",
}


class Hearing(BaseModel):
    """What was heard: the loudest moments and the quietest ones (the room), and what to do about it."""

    model_config = ConfigDict(frozen=True)
    verdict: Verdict
    advice: str
    speech_dbfs: float
    room_dbfs: float


def listen(level_dbfs: Callable[[], float], seconds: float, stop: threading.Event) -> Hearing:
    """Listen for `seconds` to somebody who was asked to say something."""
    levels, end_s = [level_dbfs()], time.monotonic() + seconds
    while time.monotonic() < end_s and not stop.wait(EVERY_S):
        levels.append(level_dbfs())
    return judge(levels)


def judge(levels_dbfs: list[float]) -> Hearing:
    """What a row of levels says."""
    room, speech = (float(v) for v in np.percentile(levels_dbfs, (5, 95)))
    verdict: Verdict = "good"
    if speech < QUIET_DBFS:
        verdict = "silent"
    elif speech > LOUD_DBFS:
        verdict = "loud"
    elif speech - room < NEAR_DB and room > QUIET_DBFS:
        verdict = "noisy"
    elif speech < FAINT_DBFS:
        verdict = "quiet"
    return Hearing(verdict=verdict, advice=ADVICE[verdict], speech_dbfs=round(speech, 1), room_dbfs=round(room, 1))

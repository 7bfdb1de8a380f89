"""What stages hand on: frozen dataclasses, one for each arrow of the chain.

Time is audio time. Speech runs at `SAMPLE_RATE_HZ`; a motion frame is 1/60 s of it. Frame t shows
the samples from `frame_start_sample(t)` on. Arrays are float32 unless said otherwise and are not
written to once they are in a packet.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError

SAMPLE_RATE_HZ = 16_000
MOTION_FPS = 60
ROWS_PER_FRAME = 2
MAX_MANNER = 3.0
# The networks hear frames two by two: their weights are then read from memory half as often, which is what they cost.
BLOCK_FRAMES = 2

PoseRow = tuple[float, ...]
"""Yaw, pitch, roll (degrees), x, y, z of a head about its mean, as a viewer sees it (`stages.steer.Steering`)."""
Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
UInt8 = NDArray[np.uint8]


def frame_start_sample(frame: int) -> int:
    """First sample (16 kHz) of motion frame `frame`."""
    return frame * SAMPLE_RATE_HZ // MOTION_FPS


def frames_in(samples: int) -> int:
    """Whole motion frames in `samples` samples, rounded as the published code rounds (in floats)."""
    return int(samples / SAMPLE_RATE_HZ * MOTION_FPS)


@dataclass(frozen=True, slots=True)
class PoseKey:
    """Where the head is to be at a moment; None: nobody says any more.

    `at`: of an `AudioBlock`, samples after its first (before it: negative); in the chain, a motion frame.
    """

    at: int
    row: PoseRow | None


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Mono speech. `samples` (N,) in -1..1, any N >= 0; chunks follow one another without gaps."""

    samples: Float32


@dataclass(frozen=True, slots=True)
class MelFrame:
    """Normalised log-mel. `rows` (2, 80), about 0..1, for motion frame `frame`."""

    frame: int
    rows: Float32


@dataclass(frozen=True, slots=True)
class SpeechFrame:
    """Speech features. `rows` (2, F)."""

    frame: int
    rows: Float32


@dataclass(frozen=True, slots=True)
class ProjectedFrame:
    """Speech features on the subject's manifold.

    `rows` (2, F); `neighbours` (2, K) int32 rows of the feature base, nearest first; `weights` (2, K),
    each row sums to 1.
    """

    frame: int
    rows: Float32
    neighbours: Int32
    weights: Float32


@dataclass(frozen=True, slots=True)
class MouthFrame:
    """Displacement of the 25 mouth-related points. `points` (25, 3), the subject's units."""

    frame: int
    points: Float32


@dataclass(frozen=True, slots=True)
class GatesFrame:
    """What speech adds inside the gates of the head-pose network. `gates` (14, 256), a row for each layer."""

    frame: int
    gates: Float32


@dataclass(frozen=True, slots=True)
class PoseFrame:
    """Predicted head motion about the subject's mean, before amplification and smoothing.

    `sample` (12,): three angles in degrees, translation (3) in the subject's units, and their
    velocities; `raw` (25,): mixture logit, 12 means, 12 negative log sigmas.
    """

    frame: int
    sample: Float32
    raw: Float32


@dataclass(frozen=True, slots=True)
class ShapeFrame:
    """The mouth, smoothed, amplified, its lips apart, on the mean face. `points` (73, 3), the subject's units."""

    frame: int
    points: Float32


@dataclass(frozen=True, slots=True)
class HeadFrame:
    """The head in the camera's axes. `pose` (6,): angles in degrees (x, y, z), translation."""

    frame: int
    pose: Float32


@dataclass(frozen=True, slots=True)
class VoiceFrame:
    """How far the mouth may follow the speech: `gate` 0 (silence: closed) to 1 (somebody speaks)."""

    frame: int
    gate: float


@dataclass(frozen=True, slots=True)
class Manner:
    """How much of everything a subject does: factors from 0 to MAX_MANNER, 1 being as the bundle has it.

    `liveliness`: the head's random motion (sigma); `mouth`: how far the lips leave the closed mouth; `shoulders`: how
    far they follow the head; `blinks`: how often the eyes blink. Raises UsageError on what is out of range.
    """

    liveliness: float = 1.0
    mouth: float = 1.0
    shoulders: float = 1.0
    blinks: float = 1.0

    def __post_init__(self) -> None:
        for name, value in zip(self.__slots__, astuple(self), strict=True):
            if not 0 <= value <= MAX_MANNER:
                raise UsageError(f"{name} = {value:g}: choose a factor from 0 to {MAX_MANNER:g}; 1 is as it was made.")


AS_MADE = Manner()


@dataclass(frozen=True, slots=True)
class MotionFrame:
    """What was made of one motion frame on the parallel branches, joined by its index; `manner`: how to show it."""

    frame: int
    shape: ShapeFrame
    head: HeadFrame
    voice: VoiceFrame
    manner: Manner = AS_MADE


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """The whole face in the subject's own axes (`points` (73, 3)), and its pose (6,) as in HeadFrame.

    `shoulders`: how far they follow the head, as a factor on the subject's own share.
    """

    frame: int
    points: Float32
    pose: Float32
    shoulders: float = 1.0


@dataclass(frozen=True, slots=True)
class LandmarkFrame:
    """Pixels of a square picture: x right, y down. `points` (73, 2), `shoulders` (18, 2)."""

    frame: int
    points: Float32
    shoulders: Float32


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The lines of face and shoulders. `pixels` (S, S) uint8, 0 or 255."""

    frame: int
    pixels: UInt8


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture. `pixels` (H, W, 3) uint8 RGB; shows motion frame `frame`."""

    frame: int
    pixels: UInt8

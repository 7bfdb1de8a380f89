"""Explicit control: what moves the head, and how much of everything the subject does (section 4.4, figure 7)."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np

from ..errors import UsageError
from ..packets import AS_MADE, Float32, HeadFrame, Manner, MotionFrame, PoseKey
from ..subject import Subject
from .guide import Guide
from .head import LiveHead
from .smoothing import Float64

TRANSITION_FRAMES = 18  # 0.3 s
MAX_ANGLE_DEG = 90.0
MAX_SHIFT = 1000.0
MAX_TRACK_BYTES = 64 << 20
COLUMNS = ("yaw", "pitch", "roll", "x", "y", "z")

# A viewer's yaw, pitch, roll, x, y, z as the camera's angles about x, y, z and translation: the camera's
# y is down and its z away, so that turning right, lifting the chin, rising and coming closer are negative.
_VIEWER_COLUMN = [1, 0, 2, 3, 4, 5]
_VIEWER_SIGN = np.array([-1, -1, 1, 1, -1, -1], np.float64)
_MIRROR_SIGN = np.array([1, -1, -1, -1, 1, 1], np.float64)


@dataclass(frozen=True, eq=False)
class Steering:
    """What moves the head; all about the subject's mean pose, as one who looks at the picture sees it.

    `auto`: the speech, as ever. `fixed`: held at `yaw_deg` (> 0: the face turns to the picture's right), `pitch_deg`
    (> 0: the chin lifts), `roll_deg` (> 0: the head tilts to the picture's right), `x` right, `y` up, `z` closer, in
    the subject's units. `hold`: kept where it is. `track`: row after row of `track` (N, 6), columns `COLUMNS`, 60 a
    second, over and over.
    `mirror`: left and right exchanged. Raises UsageError on what is out of range.
    """

    mode: Literal["auto", "fixed", "hold", "track"] = "auto"
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    mirror: bool = False
    track: Float32 | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("auto", "fixed", "hold", "track"):
            raise UsageError(f"The head cannot be steered by '{self.mode}'. Choose auto, fixed, hold or track.")
        if self.mode == "track" and self.track is None:
            raise UsageError("Steering by a track needs the track. Give a file of yaw,pitch,roll,x,y,z.")
        if self.track is not None:
            check_track(self.track, "The track")
        check_track(np.array([self.fixed], np.float32), "The pose")

    @property
    def fixed(self) -> tuple[float, ...]:
        """The fixed pose as a row of a track."""
        return (self.yaw_deg, self.pitch_deg, self.roll_deg, self.x, self.y, self.z)


@dataclass(slots=True)
class SteerState:
    """Who steers, the pose (6,) shown last, and the transition under way: what is still to be taken back
    (`offset` (6,)) of the jump that was due `age` frames ago. `played` counts rows of the track; `held` (6,) is where
    the head is kept. `manner` is on its way to `wanted`. `guide`: poses from elsewhere, which go before `steering`
    while there are any (`guided`)."""

    steering: Steering
    last: Float64 | None = None
    offset: Float64 | None = None
    age: int = 0
    turned: bool = False
    played: int = 0
    held: Float64 | None = None
    manner: Manner = AS_MADE
    wanted: Manner = AS_MADE
    guide: Guide = field(default_factory=Guide)
    guided: bool = False


class SteerStage:
    """MotionFrame -> MotionFrame with the head as steered; every change eases in over 0.3 s."""

    def __init__(self, rest_pose: Float32) -> None:
        self._rest = rest_pose.astype(np.float64)

    @classmethod
    def from_subject(cls, subject: Subject) -> SteerStage:
        return cls(LiveHead.from_subject(subject).rest_pose)

    def start(self) -> SteerState:
        return SteerState(Steering())

    def turn(self, state: SteerState, steering: Steering) -> SteerState:
        """The state with the head under `steering` from the next frame on."""
        return replace(state, steering=steering, turned=True, played=0, held=state.last)

    def follow(self, state: SteerState, key: PoseKey) -> SteerState:
        """The state with the head led by `key`, too, which may be past already; its row is finite and within bounds."""
        late = state.guide.add(key)
        return replace(state, turned=state.turned or late)

    def behave(self, state: SteerState, manner: Manner) -> SteerState:
        """The state with `manner` from now on; it eases in as a new pose does."""
        return replace(state, wanted=manner)

    def seen(self, state: SteerState) -> tuple[float, ...] | None:
        """Where the head is, as a row of a track; None before the first frame."""
        if state.last is None:
            return None
        row = np.empty(len(COLUMNS))
        row[_VIEWER_COLUMN] = (state.last - self._rest) * _VIEWER_SIGN
        return tuple(float(value) for value in row)

    def step(self, x: MotionFrame, state: SteerState) -> tuple[list[MotionFrame], SteerState]:
        pose = self.pose(x.head.frame, x.head.pose.astype(np.float64), state)
        steered = state.steering.mode != "auto" or state.steering.mirror or state.guided
        untouched = state.offset is None and not steered
        if state.manner != state.wanted:
            state.manner = _nearer(state.manner, state.wanted)
        if untouched and state.manner == AS_MADE:
            return [x], state
        head = x.head if untouched else HeadFrame(x.head.frame, pose.astype(np.float32))
        return [replace(x, head=head, manner=state.manner)], state

    def pose(self, frame: int, spoken: Float64, state: SteerState) -> Float64:
        """The head's pose (6,) at `frame`, where the speech alone would make it `spoken`; moves `state` on."""
        row = state.guide.row_at(frame)
        if (row is not None) != state.guided:
            state.guided, state.turned = row is not None, True
        target = self._target(spoken, state) if row is None else self._viewed(np.array(row))
        if state.turned and state.last is not None:
            state.offset, state.age = state.last - target, 0
        state.turned = False
        state.last = target + self._remaining(state)
        return state.last

    def flush(self, state: SteerState) -> tuple[list[MotionFrame], SteerState]:
        return [], state

    def _target(self, pose: Float64, state: SteerState) -> Float64:
        steering = state.steering
        if steering.mode == "hold":
            state.held = pose if state.held is None else state.held
            return state.held
        if steering.mode == "fixed":
            pose = self._viewed(np.array(steering.fixed))
        elif steering.track is not None and steering.mode == "track":
            row = state.played % len(steering.track)
            state.turned |= row == 0  # the track's end need not meet its beginning
            state.played += 1
            pose = self._viewed(steering.track[row].astype(np.float64))
        return self._rest + (pose - self._rest) * _MIRROR_SIGN if steering.mirror else pose

    def _viewed(self, row: Float64) -> Float64:
        out: Float64 = self._rest + row[_VIEWER_COLUMN] * _VIEWER_SIGN
        return out

    @staticmethod
    def _remaining(state: SteerState) -> Float64 | float:
        if state.offset is None:
            return 0.0
        state.age += 1
        if state.age >= TRANSITION_FRAMES:
            state.offset = None
            return 0.0
        done = state.age / TRANSITION_FRAMES
        return state.offset * (1 - done * done * (3 - 2 * done))


def _nearer(manner: Manner, wanted: Manner) -> Manner:
    """A step from one manner to another; the whole way takes as long as that of a pose for each unit of a factor."""
    step = 1 / TRANSITION_FRAMES

    def move(now: float, then: float) -> float:
        return then if abs(then - now) <= step else now + math.copysign(step, then - now)

    return Manner(*(move(now, then) for now, then in zip(astuple(manner), astuple(wanted), strict=True)))


def check_track(track: Float32, what: str) -> None:
    """UsageError unless `track` is (N, 6), N > 0, finite, angles within 90 degrees, translation within 1000."""
    if track.ndim != 2 or track.shape[1] != len(COLUMNS) or len(track) == 0:
        raise UsageError(f"{what} has the shape {track.shape}; it needs rows of {','.join(COLUMNS)}.")
    for column, limit in ((slice(3), MAX_ANGLE_DEG), (slice(3, 6), MAX_SHIFT)):
        bad = np.argwhere(~(np.abs(track[:, column]) <= limit))  # catches NaN too
        if len(bad):
            row, index = int(bad[0, 0]), int(bad[0, 1]) + (column.start or 0)
            raise UsageError(
                f"{what}, row {row + 1}: {COLUMNS[index]} is {track[row, index]:g}; it must be within ±{limit:g}."
            )


def read_track(path: Path) -> Float32:
    """A track (N, 6) from a `.npy`, a `.npz` (its only array, or the one named `track`) or a `.csv`, with or without
    a heading of the columns' names. Raises UsageError."""
    readers = {".npy": _read_numpy, ".npz": _read_numpy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path}: a track is a .npy, .npz or .csv file.")
    try:
        if path.stat().st_size > MAX_TRACK_BYTES:
            raise UsageError(f"{path} is larger than a track of poses can be ({MAX_TRACK_BYTES >> 20} MiB).")
        track = readers[path.suffix.lower()](path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}.") from None
    check_track(track, str(path))
    return track


def _read_numpy(path: Path) -> Float32:
    try:
        loaded = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            name = "track" if "track" in loaded.files or len(loaded.files) != 1 else loaded.files[0]
            loaded = loaded[name]
        return np.asarray(loaded, np.float32)
    except (ValueError, TypeError, KeyError, EOFError, BadZipFile) as error:
        raise UsageError(f"{path} cannot be used as a track: {error}. Save it as a plain array of numbers.") from None


def _read_csv(path: Path) -> Float32:
    try:
        lines = [
            [cell.strip() for cell in line] for line in csv.reader(path.read_text("utf-8-sig").splitlines()) if line
        ]
    except (UnicodeDecodeError, csv.Error):
        raise UsageError(f"{path} is not a text of comma-separated numbers.") from None
    heading = bool(lines) and tuple(cell.lower() for cell in lines[0]) == COLUMNS
    rows: list[list[float]] = []
    for number, line in enumerate(lines[heading:], 1 + heading):
        try:
            rows.append([float(cell) for cell in line])
        except ValueError:
            raise UsageError(f"{path}, line {number}: not numbers. It needs {','.join(COLUMNS)}.") from None
        if len(line) != len(COLUMNS):
            raise UsageError(f"{path}, line {number}: {len(line)} columns; it needs {','.join(COLUMNS)}.")
    return np.array(rows, np.float32).reshape(-1, len(COLUMNS))

"""What the daemon knows of devices: where speech comes from, where frames go, and where the voice goes with them.

Times are `time.monotonic()` seconds. Samples are float32, 16 kHz, mono; frames are uint8 RGB.
Every device has a twin that needs no hardware: `wavfile.FileSource` and `null.NullSource` for the microphone;
`null.NullSink`, `null.ListSink`, `preview.PreviewSink` and `videofile.VideoFileSink` for the camera; `null.ListVoice`
for the virtual microphone.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self

from ..packets import SAMPLE_RATE_HZ, Float32, PoseKey, UInt8

BLOCK_S = 0.01
BLOCK_SAMPLES = round(BLOCK_S * SAMPLE_RATE_HZ)
BACKLOG_S = 2.0
"""What a source keeps for a reader that is late; older samples are dropped and counted in `overflows`."""

SourceState = Literal["live", "silent", "lost", "ended"]
"""live: sound arrives. silent: the device works but gives only zeros (muted, or the null source).
lost: the device went away; `read` gives silence while it is looked for. ended: a file is over; `read` gives None."""


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """Some speech. `samples` (N,) float32 16 kHz mono, N >= 1, about 10 ms.

    `captured_s` is when the last of them was captured. Blocks follow one another without a gap in audio
    time, unless `gap` is set: then sound between the last block and this one is missing (the reader was late, or the
    device had an overflow), and only `captured_s` tells how much. `poses`: what came with the speech of the
    speaker's head.
    """

    samples: Float32
    captured_s: float
    gap: bool = False
    poses: tuple[PoseKey, ...] = ()


class AudioSource(Protocol):
    """Speech, as it is spoken. One reader; `close` may be called from any thread, and twice."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    @property
    def state(self) -> SourceState: ...

    @property
    def overflows(self) -> int:
        """How many times samples were dropped."""
        ...

    @property
    def reconnects(self) -> int:
        """How many times a lost device came back."""
        ...

    def read(self, timeout_s: float) -> AudioBlock | None:
        """The next block; None if none came within `timeout_s`, or the source has ended or is closed."""
        ...

    def close(self) -> None: ...


class FrameSink(Protocol):
    """Where frames go. `open`, then `send` at about `fps`, then `close` (which may be called twice)."""

    @property
    def wants_frames(self) -> bool:
        """False while nobody would see a frame: rendering may be skipped."""
        ...

    def open(self, width: int, height: int, fps: float) -> None:
        """Start the device; raises DeviceError, with the remedy, if it cannot be used."""
        ...

    def send(self, rgb: UInt8) -> None:
        """Show a frame, (H, W, 3) of any size; it is fitted to what was opened. The array is not kept.

        Raises DeviceError if the device fails, DeviceLost if it went away.
        """
        ...

    def close(self) -> None: ...

    def describe(self) -> str:
        """What it is, for people: "LSP Cam (/dev/video0), 1280x720 at 30 fps"."""
        ...


class AudioSink(Protocol):
    """Where the voice goes: a virtual microphone. `open`, then `write` without end, then `close` (maybe twice)."""

    def open(self) -> None:
        """Make and start the device; raises DeviceError, with the remedy, if it cannot be used."""
        ...

    def write(self, samples: Float32) -> None:
        """Send samples (N,); waits while the device has enough. Raises DeviceLost if it went away."""
        ...

    @property
    def latency_s(self) -> float:
        """How long from now until the next sample that is written will be heard. Raises DeviceLost."""
        ...

    def close(self) -> None: ...

    def describe(self) -> str:
        """What it is, for people: "LSP Mic (PulseAudio)"."""
        ...


class Closing:
    """`with` for devices: closes at the end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError

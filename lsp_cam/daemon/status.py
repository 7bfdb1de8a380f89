"""What the daemon tells about itself: the shape of `lsp-cam status --json` and of GET /api/status."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from .options import State

SETTLED_S = 6.0  # rates are of the last 5 s


class Told(BaseModel):
    """Base: values that are told, never taken."""

    model_config = ConfigDict(frozen=True)


class MicrophoneStatus(Told):
    """`state`: live, silent, lost or ended. `level_dbfs`: of the last 0.3 s. `overflows`: how often speech was lost
    since the start, and `overflows_lately` in the last minute. `skew_ppm`: how slow its clock runs."""

    name: str
    state: str
    level_dbfs: float
    overflows: int
    overflows_lately: int
    reconnects: int
    skew_ppm: float


class CameraStatus(Told):
    """`state`: live, idle (nobody reads), lost, or none. `fps_out`: frames sent per second, `fps_new`: new ones."""

    name: str
    state: str
    problem: str | None
    width: int
    height: int
    mirror: bool
    fps: int
    fps_out: float
    fps_new: float


class VoiceStatus(Told):
    """The virtual microphone. `state`: live, lost, or none. `delay_ms`: how long after it was spoken the voice is
    heard; `offset_ms`: how much later than its picture that is; `correction_ppm`: how much faster it runs to make up
    for that; `jumps`: how often an offset was too large to be made up for."""

    name: str
    state: str
    problem: str | None
    delay_ms: float
    offset_p50_ms: float | None
    offset_p95_ms: float | None
    correction_ppm: float
    jumps: int


class FrameCounts(Told):
    """Since the start: frames sent, those of them that were sent again, due pictures not shown, ticks missed."""

    sent: int
    repeated: int
    skipped: int
    missed: int


class Latency(Told):
    """Milliseconds. `algorithmic`: what the method waits for. The others: from the microphone hearing the first
    sample that a frame shows to the frame leaving for the camera, by the audio clock."""

    algorithmic_ms: float
    measured_p50_ms: float | None
    measured_p95_ms: float | None


class Head(Told):
    """Where the head is, about its mean, as a viewer sees it (see `stages.steer.Steering`)."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    x: float
    y: float
    z: float


class Pulse(Told):
    """What changes from moment to moment. `delay_ms`: the parts of the delay from voice to picture, by name, in order
    (see `daemon.delays`); `lip_sync_ms`: how much later than its picture the voice is heard in the virtual microphone;
    `skew_ppm`: how slow the microphone's clock runs."""

    subject: str
    level_dbfs: float
    muted: bool
    paused: bool
    steered_by: str
    head: Head | None
    fps_new: float
    sent: int
    repeated: int
    skipped: int
    delay_ms: dict[str, float] | None
    lip_sync_ms: float | None
    skew_ppm: float


class Status(Told):
    """A daemon that runs. `warnings` are for people; `renderer_problem`: why no pictures are made now.
    `steering` is as POST /api/pose takes it, `manner` as POST
    /api/manner."""

    state: State
    pid: int
    started_s: float
    uptime_s: float
    subject: str
    loading: str | None
    engine: str
    microphone: MicrophoneStatus
    camera: CameraStatus
    renderer_problem: str | None
    voice: VoiceStatus
    frames: FrameCounts
    stages_ms: dict[str, dict[str, float]]
    latency: Latency
    delay_ms: dict[str, float] | None
    muted: bool
    paused: bool
    steering: dict[str, Any]
    manner: dict[str, float]
    head: Head | None
    watchers: int
    warnings: tuple[str, ...]
    preview_url: str


def affordable(fps_new: float) -> int:
    """A rate that a machine which manages `fps_new` pictures a second can keep."""
    return next((fps for fps in (50, 30, 25, 20, 15, 12, 10) if fps <= fps_new), 8)


def warnings_of(
    microphone: MicrophoneStatus,
    camera: CameraStatus,
    voice: VoiceStatus,
    renderer_problem: str | None,
    muted: bool,
    watched_s: float,
    uptime_s: float,
) -> tuple[str, ...]:
    """What is wrong, in plain words, and the way out. `watched_s`: for how long somebody has seen live pictures."""
    found = []
    settled, judged = uptime_s > SETTLED_S, watched_s > SETTLED_S
    if judged and camera.fps_out < 0.9 * camera.fps:
        found.append(
            f"The camera gets {camera.fps_out:.0f} of {camera.fps} fps: the machine is busy, or the reader slow."
        )
    if microphone.state == "lost":
        found.append(f"The microphone '{microphone.name}' is gone; it is used again as soon as it is back.")
    if microphone.state == "silent" and not muted:
        found.append(f"The microphone '{microphone.name}' gives no sound at all. Is it muted?")
    if microphone.overflows_lately:
        times = "once" if microphone.overflows_lately == 1 else f"{microphone.overflows_lately} times"
        found.append(f"Speech was lost {times} in the last minute because the machine was too busy.")
    if voice.state == "lost" and settled:
        found.append(f"The virtual microphone fails: {voice.problem}")
    if renderer_problem:
        found.append(f"The portrait rests until its renderer works again. {renderer_problem}")
    elif judged and camera.fps_new < 0.9 * camera.fps and microphone.state != "ended":
        found.append(
            f"Your CPU is busy: {camera.fps_new:.0f} of {camera.fps} fps are new pictures. "
            f"Close other programs, or ask for less: lsp-cam set --fps {affordable(camera.fps_new)}"
        )
    if camera.problem:
        found.append(f"The camera fails: {camera.problem}")
    return tuple(found)

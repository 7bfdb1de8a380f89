"""The daemon's status, gathered."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from ..packets import SAMPLE_RATE_HZ
from .core import Daemon
from .status import CameraStatus, FrameCounts, Head, Latency, MicrophoneStatus, Pulse, Status, VoiceStatus, warnings_of


def report(daemon: Daemon, url: str) -> Status:
    """What goes on in `daemon`; its page is at `url`."""
    microphone, camera, voice = _microphone(daemon), _camera(daemon), _voice(daemon)
    uptime_s = daemon.uptime_s
    watched_s = daemon.camera.watched_s(time.monotonic())
    return Status(
        state="stopping" if daemon.stop.is_set() else "running",
        pid=os.getpid(),
        started_s=daemon.started_s,
        uptime_s=round(uptime_s, 1),
        subject=daemon.subject,
        loading=daemon.loading,
        engine=daemon.loader.engine_name,
        microphone=microphone,
        camera=camera,
        renderer_problem=daemon.mender.problem,
        voice=voice,
        frames=_frames(daemon),
        stages_ms=daemon.times.milliseconds(),
        latency=_latency(daemon),
        delay_ms=daemon.camera.delays.typical_ms(),
        muted=daemon.muted,
        paused=daemon.camera.paused,
        steering=_steering(daemon),
        manner=asdict(daemon.listener.manner),
        head=_head(daemon),
        watchers=daemon.preview.watchers,
        warnings=warnings_of(microphone, camera, voice, daemon.mender.problem, daemon.muted, watched_s, uptime_s),
        preview_url=url,
    )


def pulse(daemon: Daemon) -> Pulse:
    """What changes from moment to moment; cheap enough to be asked many times a second."""
    frames, offset = _frames(daemon), daemon.voice.offset_s.percentile(50)
    return Pulse(
        subject=daemon.subject,
        level_dbfs=round(daemon.listener.level_dbfs, 1),
        muted=daemon.muted,
        paused=daemon.camera.paused,
        steered_by=daemon.steered.steering.mode,
        head=_head(daemon),
        fps_new=round(daemon.camera.fresh.per_second(), 1),
        sent=frames.sent,
        repeated=frames.repeated,
        skipped=frames.skipped,
        delay_ms=daemon.camera.delays.typical_ms(),
        lip_sync_ms=None if daemon.voice_sink is None or offset is None else round(1000 * offset[0], 1),
        skew_ppm=round(daemon.clock.skew_ppm, 1),
    )


def _head(daemon: Daemon) -> Head | None:
    seen = daemon.steered.head
    return None if seen is None else Head(**dict(zip(Head.model_fields, (round(v, 2) for v in seen), strict=True)))


def _microphone(daemon: Daemon) -> MicrophoneStatus:
    source = daemon.source
    return MicrophoneStatus(
        name=source.name,
        state=source.state,
        level_dbfs=round(daemon.listener.level_dbfs, 1),
        overflows=source.overflows,
        overflows_lately=daemon.lost_speech.count(),
        reconnects=source.reconnects,
        skew_ppm=round(daemon.clock.skew_ppm, 1),
    )


def _camera(daemon: Daemon) -> CameraStatus:
    outlets = daemon.outlets
    return CameraStatus(
        name=outlets.camera.describe() if outlets.camera else "none (preview page only)",
        state=outlets.camera_state,
        problem=outlets.problem,
        width=daemon.size[0],
        height=daemon.size[1],
        mirror=daemon.camera.mirror,
        fps=daemon.settings.fps,
        fps_out=round(daemon.camera.out.per_second(), 2),
        fps_new=round(daemon.camera.fresh.per_second(), 2),
    )


def _voice(daemon: Daemon) -> VoiceStatus:
    sink, voice = daemon.voice_sink, daemon.voice
    offsets = voice.offset_s.percentile(50, 95)
    p50_ms, p95_ms = (round(1000 * s, 1) for s in offsets) if offsets else (None, None)
    return VoiceStatus(
        name="none" if sink is None else sink.describe(),
        state="none" if sink is None else "live" if voice.problem is None else "lost",
        problem=None if sink is None else voice.problem,
        delay_ms=round(1000 * voice.delay_s, 1),
        offset_p50_ms=p50_ms,
        offset_p95_ms=p95_ms,
        correction_ppm=round(voice.correction_ppm, 1),
        jumps=voice.jumps,
    )


def _frames(daemon: Daemon) -> FrameCounts:
    camera = daemon.camera
    skipped = daemon.due.skipped + daemon.rendered.dropped
    return FrameCounts(sent=camera.sent, repeated=camera.repeated, skipped=skipped, missed=camera.missed)


def _latency(daemon: Daemon) -> Latency:
    measured = daemon.camera.delay_s.percentile(50, 95)
    p50_ms, p95_ms = (round(1000 * s, 1) for s in measured) if measured else (None, None)
    samples = daemon.listener.show.pipeline.look_ahead_samples
    return Latency(
        algorithmic_ms=round(1000 * samples / SAMPLE_RATE_HZ, 1), measured_p50_ms=p50_ms, measured_p95_ms=p95_ms
    )


def _steering(daemon: Daemon) -> dict[str, Any]:
    told = asdict(daemon.steered.steering)
    track = told.pop("track")
    return {**told, "track_rows": 0 if track is None else len(track)}

"""A status as lines for people."""

from __future__ import annotations

from typing import Any


def lines_of(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Line and style for each thing worth knowing of a status (`daemon.status.Status` as JSON)."""
    microphone, camera, frames, latency = (told[k] for k in ("microphone", "camera", "frames", "latency"))
    muted = ", muted" if told["muted"] else ""
    measured = latency["measured_p50_ms"]
    delay = "not measured yet" if measured is None else f"{measured:.0f} ms (95 %: {latency['measured_p95_ms']:.0f} ms)"
    rate = f"{camera['fps_out']:.1f} of {camera['fps']} fps out, {camera['fps_new']:.1f} new"
    loading = f", loading {told['loading']}" if told["loading"] else ""
    rows = [
        ("subject", f"{told['subject']} on {told['engine']}{loading}"),
        ("microphone", f"{microphone['name']}: {microphone['state']}, {microphone['level_dbfs']:.0f} dBFS{muted}"),
        ("camera", f"{camera['name']}: {camera['state']}, {camera['width']}x{camera['height']}, {rate}"),
        ("voice", _voice(told["voice"])),
        ("frames", f"{frames['sent']} sent, {frames['repeated']} of them again, {frames['skipped']} skipped"),
        ("delay", f"{delay}; {latency['algorithmic_ms']:.0f} ms of it are the method's look-ahead"),
        ("head", "mirrored, " * told["steering"]["mirror"] + told["steering"]["mode"]),
        ("preview", f"{told['preview_url']} ({told['watchers']} watching); `lsp-cam panel` opens it"),
    ]
    head = f"{told['state']} for {_duration(told['uptime_s'])} (process {told['pid']})"
    table = [(f"{name:<11}{value}", "") for name, value in rows]
    return [(head, "bold"), *table, *((warning, "yellow") for warning in told["warnings"])]


def _voice(told: dict[str, Any]) -> str:
    if told["state"] != "live":
        return f"{told['name']}: {told['state']}" if told["problem"] else "no virtual microphone"
    offset = told["offset_p50_ms"]
    aside = "" if offset is None else f", {offset:+.1f} ms from its picture"
    return f"{told['name']}: live, {told['delay_ms']:.0f} ms behind you{aside}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"

"""Packets made of a reference case's arrays."""

from __future__ import annotations

from typing import Any

from lsp_cam.packets import ProjectedFrame, SpeechFrame


def speech_frames(case: Any) -> list[SpeechFrame]:
    """The published features, frame by frame."""
    return [SpeechFrame(t, rows) for t, rows in enumerate(case.expected["apc"].reshape(-1, 2, 512))]


def projected_frames(case: Any) -> list[ProjectedFrame]:
    """The published projected features, frame by frame."""
    arrays = [case.expected[name] for name in ("projected", "knn", "lle_w")]
    return [
        ProjectedFrame(t, *rows)
        for t, rows in enumerate(zip(*(a.reshape(-1, 2, a.shape[1]) for a in arrays), strict=True))
    ]

"""What `lsp-cam devices` lists: microphones and virtual cameras, and why there are none."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from ..errors import DeviceError
from . import portaudio, v4l2
from .monitor import monitors
from .virtualcam import find_camera, remedy

Kind = Literal["microphone", "camera"]


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device. `id` is what --mic or --camera takes; `is_default` is what `auto` takes; `detail` is for people."""

    kind: Kind
    id: str
    name: str
    is_default: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no device of a kind, and what to do."""

    kind: Kind
    reason: str


def list_devices() -> tuple[list[DeviceInfo], list[Missing]]:
    """Everything that can be heard with or shown on; raises nothing. Cameras are listed on Linux only."""
    microphones, deaf = _microphones()
    cameras, blind = _cameras()
    return microphones + _monitors() + cameras, deaf + blind


def _monitors() -> list[DeviceInfo]:
    """What loudspeakers play can be heard like a microphone; where nothing tells of it, it is not listed."""
    try:
        return [DeviceInfo("microphone", m.name, m.name, False, "what a loudspeaker plays") for m in monitors()]
    except DeviceError:
        return []


def _microphones() -> tuple[list[DeviceInfo], list[Missing]]:
    try:
        found = portaudio.inputs()
    except DeviceError as error:
        return [], [Missing("microphone", str(error))]
    if not found:
        return [], [Missing("microphone", portaudio.NO_MICROPHONE)]
    auto = portaudio.choose_input(None)
    listed = [
        DeviceInfo("microphone", str(d.index), d.name, d == auto, f"{d.rate_hz:g} Hz, {_channels(d.channels)}")
        for d in found
    ]
    return listed, []


def _cameras() -> tuple[list[DeviceInfo], list[Missing]]:
    if sys.platform != "linux":
        return [], [Missing("camera", f"Virtual cameras are only found by opening them here. {remedy()}")]
    found = v4l2.loopbacks()
    try:
        auto = find_camera()
    except DeviceError as error:
        # Where all are fed, perhaps by us, they are listed as what they are: in use.
        return _listed(found, None), [] if found else [Missing("camera", str(error))]
    return _listed(found, auto), []


def _listed(found: list[v4l2.Loopback], auto: str | None) -> list[DeviceInfo]:
    return [
        DeviceInfo("camera", str(d.path), d.label, str(d.path) == auto, "in use" if d.taken else "free") for d in found
    ]


def _channels(count: int) -> str:
    return "1 channel" if count == 1 else f"{count} channels"

"""PortAudio, the microphone, and the virtual microphone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import probes
from .check import Check, problem
from .remedies import ALSA_PLUGIN, MICROPHONE, PORTAUDIO, of_source, reinstall, remedy, sound_server

STANDS_IN = "the sample speech stands in"
QUIET = 0.05
"""A microphone turned down further than this hears nobody."""


def check_audio() -> Iterator[Check]:
    """PortAudio and a microphone that hears."""
    answer = probes.ask("audio")
    version, inputs = answer.get("version"), answer.get("inputs", [])
    broken = "" if version else remedy(PORTAUDIO) or reinstall("sounddevice")
    yield Check("portaudio", bool(version), "fallback", version or problem(answer), broken)
    if not version:
        yield _absent("without PortAudio none is found", broken)
        return
    # PortAudio lists what it could ask the sound server for; only the server knows whether there is a microphone.
    server = probes.ask("server")
    yield _of_server(server, inputs) if "microphones" in server else _of_portaudio(inputs)


def check_voice() -> Iterator[Check]:
    """A virtual microphone, in which the voice keeps time with the picture."""
    answer = probes.ask("voice")
    ok = "device" in answer
    found = str(answer["device"]) if ok else "none; others hear you before they see you speak"
    yield Check("virtual-microphone", ok, "fallback", found, "" if ok else sound_server())


def _of_portaudio(inputs: list[str]) -> Check:
    if not inputs:
        return _absent("none", remedy(MICROPHONE))
    return Check("microphone", True, "fallback", ", ".join(inputs))


def _of_server(server: probes.Answer, inputs: list[str]) -> Check:
    microphones: list[dict[str, Any]] = server["microphones"]
    if not microphones:
        return _absent("the sound server has none", remedy(MICROPHONE))
    listed = ", ".join(m["label"] for m in microphones)
    if not inputs:
        return _absent(f"{listed}: the sound server has it, PortAudio does not find it", remedy(ALSA_PLUGIN))
    usual = next((m for m in microphones if m["name"] == server["default"]), None)
    if usual is None:
        name = microphones[0]["name"]
        return _absent(
            f"{listed}, but the usual one is '{server['default']}'", of_source("set-default-source {}", name)
        )
    if usual["mute"]:
        return _absent(f"{usual['label']}: muted", of_source("set-source-mute {} 0", usual["name"]))
    if usual["volume"] < QUIET:
        return _absent(f"{usual['label']}: turned down", of_source("set-source-volume {} 100%", usual["name"]))
    return Check("microphone", True, "fallback", listed)


def _absent(found: str, fix: str) -> Check:
    stands_in = "" if ":" in found or "," in found else f"; {STANDS_IN}"
    return Check("microphone", False, "fallback", f"{found}{stands_in}", fix)

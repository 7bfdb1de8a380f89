"""Files that the program carries."""

from __future__ import annotations

from pathlib import Path

from ..errors import AudioError


def sample_speech() -> Path:
    """The recording that stands in for a microphone; AudioError if the installation lacks it."""
    for path in sorted(Path(__file__).parent.glob("sample.*")):
        return path
    raise AudioError("The sample speech is missing from the installation. Install lsp-cam again.")


def unit_template() -> str:
    """The systemd unit, with `string.Template`'s marks where `service.unit` puts what is this machine's own."""
    return (Path(__file__).parent / "lsp-cam.service").read_text("utf-8")

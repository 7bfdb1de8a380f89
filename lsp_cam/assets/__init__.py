"""Files that the program carries."""

from __future__ import annotations

from pathlib import Path

from ..errors import AudioError


def sample_speech() -> Path:
    """The recording that stands in for a microphone; AudioError if the installation lacks it."""
    for path in sorted(Path(__file__).parent.glob("sample.*")):
        return path
    raise AudioError("The sample speech is missing from the installation. Install lsp-cam again.")

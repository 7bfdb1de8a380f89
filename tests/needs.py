"""What not every machine has: marks for the tests that need it. Elsewhere they are skipped, or, where nothing may be
skipped (`conftest.py`), fail.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from .system import pipewire as pipewire_server
from .system import pulse as pulse_server

CHROMIUM = "/usr/bin/chromium"
FIREFOX = "/usr/bin/firefox-esr"

pulse_audio = pytest.mark.skipif(not pulse_server.available(), reason="PulseAudio is not installed")
pipewire = pytest.mark.skipif(not pipewire_server.available(), reason="PipeWire or GStreamer is not installed")
chromium = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed")
firefox = pytest.mark.skipif(not Path(FIREFOX).exists(), reason="Firefox is not installed")
linux = pytest.mark.skipif(sys.platform != "linux", reason="this is Linux's alone")
fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="this needs root")

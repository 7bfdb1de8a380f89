"""Libraries for graphics cards are asked in a child: whatever they do there, this process lives."""

from __future__ import annotations

import pytest

from lsp_cam.backends import choose, probe
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.backends.probe import look
from lsp_cam.errors import ModelError


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "has_driver", lambda: True)


@pytest.mark.usefixtures("driver")
def test_a_crash_is_an_answer() -> None:
    found = look("tensorrt", "json", "import os; os.abort()")
    assert not found.usable
    assert "ends the process" in found.why


@pytest.mark.usefixtures("driver")
def test_silence_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.5)
    found = look("tensorrt", "json", "import time; time.sleep(60)")
    assert not found.usable
    assert "did not answer" in found.why


@pytest.mark.usefixtures("driver")
def test_what_the_child_says_is_believed() -> None:
    said = look("tensorrt", "json", """print('{"version": "10.1", "device": "a card 8.9"}')""")
    assert (said.usable, said.version, said.device) == (True, "10.1", "a card 8.9")
    refused = look("tensorrt", "json", """print('{"why": "too old"}')""")
    assert (refused.usable, refused.why) == (False, "too old")


def test_without_driver_or_library_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "has_driver", lambda: False)
    monkeypatch.setattr(probe.subprocess, "run", lambda *a, **k: pytest.fail("a child was started"))
    assert "driver" in look("tensorrt-rtx", "json").why
    assert "not installed" in look("tensorrt-rtx", "no_such_library").why


def test_without_a_card_auto_is_the_processor_and_a_card_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "has_driver", lambda: False)
    monkeypatch.setattr(probe, "has_driver", lambda: False)
    assert isinstance(choose.open_engine("auto"), OrtEngine)
    with pytest.raises(ModelError, match="does not run here"):
        choose.open_engine("tensorrt-rtx")

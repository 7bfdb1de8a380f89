"""Five minutes on air: the daemon neither grows nor falls behind. An hour of it is in docs/measurements.md."""

from __future__ import annotations

import pytest

from .. import needs
from .soaking import Soaking

IDLE_LOAD, IDLE_PERCENT = 1.0, 1.0  # of which the daemon itself is a half

pytestmark = [pytest.mark.system, pytest.mark.soak, needs.pulse_audio]


@pytest.mark.timeout(900)
def test_five_minutes_on_air(soaking: Soaking, capsys: pytest.CaptureFixture[str]) -> None:
    found = soaking.found()
    with capsys.disabled():
        print(f"\nsoak: {found}")
    assert found["minutes"] > 4.5
    assert found["pictures"] > 1000
    assert found["memory_mb"]["growth"] < 5
    assert found["threads"]["growth"] <= 0
    assert found["files"]["growth"] <= 0
    if found["machine_load"] < IDLE_LOAD and found["waiting_percent"] < IDLE_PERCENT:
        assert found["late_percent"] <= 0.1, "on a machine that was idle"

"""The soak of `benchmarks/soak.py`, five minutes long, beside the tests that ask nothing of the clock."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

SOAK = Path(__file__).resolve().parents[2] / "benchmarks/soak.py"
MINUTES = 5
PATIENCE_S = 240


class Soaking:
    """Begins at once; `found` waits for its end."""

    def __init__(self, folder: Path) -> None:
        self._said = folder / "soak.txt"
        words = ["--minutes", str(MINUTES), "--pulse", "--json"]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, str(SOAK), *words], stdout=said, stderr=said, start_new_session=True
            )

    def found(self) -> dict[str, Any]:
        """What was measured (`judged` in the benchmark)."""
        status = self._process.wait(60 * MINUTES + PATIENCE_S)
        said = self._said.read_text()
        assert status == 0, said
        found: dict[str, Any] = json.loads(said)
        return found

    def close(self) -> None:
        """End it, daemon and all."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)

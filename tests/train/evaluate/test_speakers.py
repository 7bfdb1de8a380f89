"""Held-out speakers: a speaker that moves as the truth does makes no error."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lsp_cam.errors import AudioError
from lsp_cam.packets import MouthFrame
from lsp_cam.stages.landmarks import MOUTH_RELATED
from lsp_cam.train.corpus import is_held_out
from lsp_cam.train.evaluate import speakers
from lsp_cam.train.evaluate.phones import Phone
from lsp_cam.train.synthetic import read_mouth_truth

from .material import face


class Truthful:
    """Says the truth, `off` mm beside it; the second time it hears nothing."""

    def __init__(self, moved: np.ndarray, off: float) -> None:
        subject = SimpleNamespace(arrays=lambda path, **wanted: {"mean_points": face(10.0)})
        self.pipeline = SimpleNamespace(subject=subject)
        self._moved, self._off, self._calls = moved, off, 0

    def speak(self, samples: Any) -> Any:
        self._calls += 1
        if self._calls == 2:
            raise AudioError("nothing")
        faces = np.repeat(face(10.0)[None], len(self._moved), axis=0)
        faces[:, MOUTH_RELATED] += self._moved
        moved = self._moved + np.array([self._off, 0, 0])
        return SimpleNamespace(mouth=[MouthFrame(k, row) for k, row in enumerate(moved)], faces=faces)


def test_measures_of_a_truthful_speaker(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = np.zeros((60, 25, 3))
    lower = [MOUTH_RELATED.index(point) for point in (58, 59, 60)]
    moved[20:30, lower, 1] = 10.0  # the lips meet for ten frames
    truth: Any = SimpleNamespace(displacement=lambda name: moved.reshape(60, 75))
    monkeypatch.setattr(
        speakers, "hear", lambda *a: [Phone("AA", 0, 0.33), Phone("M", 0.36, 0.45), Phone("AA", 0.5, 1)]
    )
    said = [speakers.Said(name, "mum", np.zeros(16_000, np.float32)) for name in ("a", "b")]
    speaker: Any = Truthful(moved, 2.0)
    found = speakers.measure(speaker, truth, said)
    assert (found["utterances"], found["without_speech"], found["closures"]) == (1, 1, 1)
    assert found["error_mm"] == {"mean": 2, "deviation": 0}
    assert found["gap_correlation"] == 1
    assert found["closed_share"] == found["true_closed_share"] == 1


def test_utterances_are_of_speakers_held_out_and_always_the_same(shared: Path) -> None:
    truth = read_mouth_truth(shared / "data/synthetic")
    said = list(speakers.utterances(shared / "data/speech", truth, 3))
    assert [one.name for one in said] == [one.name for one in speakers.utterances(shared / "data/speech", truth, 3)]
    assert all(is_held_out(truth.speakers[one.name]) for one in said)
    for one in said:
        first, last = truth.spans[one.name]
        assert len(one.samples) / 16_000 == pytest.approx((last - first) / 60, abs=0.05)
        assert one.text

"""Speech features: the published encoder's, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from lsp_cam.packets import MelFrame
from lsp_cam.stages.speech import SpeechStage
from lsp_cam.stream import run_offline
from tests.released import ENGINE, speech_stage


def test_features_are_the_published_ones(case: Any, make_release: Any) -> None:
    pairs = case.expected["mel"].reshape(-1, 2, 80)
    frames = list(run_offline(speech_stage(make_release, case), (MelFrame(t, rows) for t, rows in enumerate(pairs))))
    assert [f.frame for f in frames] == list(range(len(pairs)))
    np.testing.assert_allclose(np.concatenate([f.rows for f in frames]), case.expected["apc"], rtol=0, atol=1e-4)


def test_a_bundle_gives_the_same_stage(case_a: Any, make_release: Any, reference_bundle: Any) -> None:
    stages = SpeechStage.from_subject(reference_bundle("case_a"), ENGINE), speech_stage(make_release, case_a)
    mel = [MelFrame(t, case_a.expected["mel"][100 + 2 * t : 102 + 2 * t]) for t in range(2)]
    first, second = (np.stack([f.rows for f in run_offline(stage, mel)]) for stage in stages)
    np.testing.assert_array_equal(first, second)

"""Pictures at any rate: which motion frame each shows, and how many there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsp_cam.backends.ort import OrtEngine
from lsp_cam.dub import dub, picture_count, picture_frame
from lsp_cam.errors import AudioError, UsageError
from lsp_cam.pipeline import Pipeline, PipelineConfig


def test_pictures_show_the_middle_of_their_time() -> None:
    assert [picture_frame(k, 30) for k in range(4)] == [1, 3, 5, 7]
    assert [picture_frame(k, 25) for k in range(6)] == [1, 3, 6, 8, 10, 13]
    assert [picture_frame(k, 60) for k in range(3)] == [0, 1, 2]


@pytest.mark.parametrize("fps", [1, 24, 25, 30, 59, 60])
def test_pictures_cover_the_speech(fps: int) -> None:
    count = picture_count(32_000, fps)
    assert count == 2 * fps
    assert picture_frame(count - 1, fps) < 120 <= picture_frame(count, fps)


@pytest.mark.parametrize("smoothing", ["live", "published"])
def test_there_is_a_picture_for_all_of_the_speech(reference_bundle: Any, case_a: Any, smoothing: Any) -> None:
    pipeline = Pipeline(reference_bundle(), OrtEngine(2), PipelineConfig(smoothing=smoothing))
    frames = list(dub(pipeline, case_a.expected["audio"][:8_000], 10))
    assert [f.frame for f in frames] == [3, 9, 15, 21, 27]
    assert all(f.pixels.shape == (512, 512, 3) for f in frames)


@pytest.mark.parametrize("fps", [0, -1, 61])
def test_impossible_rates_are_refused(reference_bundle: Any, fps: int) -> None:
    pipeline = Pipeline(reference_bundle(), OrtEngine(2))
    with pytest.raises(UsageError, match="1 to 60"):
        list(dub(pipeline, np.zeros(16_000, np.float32), fps))


def test_no_speech_is_refused(reference_bundle: Any) -> None:
    pipeline = Pipeline(reference_bundle(), OrtEngine(2))
    with pytest.raises(UsageError, match="shorter"):
        list(dub(pipeline, np.zeros(100, np.float32), 30))
    with pytest.raises(AudioError, match="NaN"):
        list(dub(pipeline, np.full(16_000, np.nan, np.float32), 30))

"""Log-mel rows: the published rows, every frame of a clip, each as early as it can be had."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lsp_cam.packets import AudioChunk, frame_start_sample, frames_in
from lsp_cam.stages.mel import MEL_BANDS, REACH_SAMPLES, MelStage, mel_filters, mel_rows, row_start_sample
from lsp_cam.stream import chunked, run_offline


def test_rows_are_the_published_ones(case: Any) -> None:
    rows = mel_rows(case.expected["audio"])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, case.expected["mel"], rtol=0, atol=1e-4)


def test_the_stage_gives_the_rows_of_the_clip(case_a: Any) -> None:
    audio = case_a.expected["audio"]
    frames = list(run_offline(MelStage(), chunked(audio, 533)))
    assert [f.frame for f in frames] == list(range(180))
    np.testing.assert_allclose(np.concatenate([f.rows for f in frames]), mel_rows(audio), rtol=0, atol=1e-6)


@pytest.mark.parametrize("samples", [1, 199, 266, 267, 400, 533, 534, 1067, 16_001])
def test_a_clip_has_as_many_frames_as_the_published_code_counts(samples: int) -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)
    frames = list(run_offline(MelStage(), chunked(audio, 100)))
    assert len(frames) == frames_in(samples)
    assert mel_rows(audio).shape == (2 * frames_in(samples), MEL_BANDS)


def test_a_frame_leaves_with_the_last_sample_that_matters() -> None:
    stage, rng = MelStage(), np.random.default_rng(1)
    audio = rng.uniform(-0.5, 0.5, 4_000).astype(np.float32)
    for frame in (0, 1, 2, 7):
        needed = row_start_sample(2 * frame + 1) + REACH_SAMPLES
        assert needed <= frame_start_sample(frame + 1) + MelStage.overhang_samples
        early, _ = stage.step(AudioChunk(audio[: needed - 1]), stage.start())
        ready, _ = stage.step(AudioChunk(audio[:needed]), stage.start())
        assert (len(early), len(ready)) == (frame, frame + 1)
        changed = audio.copy()
        changed[needed:] = 0
        np.testing.assert_array_equal(ready[frame].rows, mel_rows(changed)[2 * frame : 2 * frame + 2])
        changed[needed - 1] += 0.5
        assert not np.array_equal(ready[frame].rows, mel_rows(changed)[2 * frame : 2 * frame + 2])


def test_silence_is_zero_and_missing_samples_are_silence() -> None:
    assert not mel_rows(np.zeros(1_000, np.float32)).any()
    audio = np.random.default_rng(2).uniform(-0.5, 0.5, 900).astype(np.float32)
    np.testing.assert_array_equal(mel_rows(audio, 8), mel_rows(np.pad(audio, (0, 600)), 8))


def test_filters_have_unit_area_between_their_ends() -> None:
    filters = mel_filters()
    bins = np.linspace(0, 8_000, 257)
    assert filters.shape == (257, 80)
    assert not filters[(bins < 90) | (bins > 7_600)].any()
    np.testing.assert_allclose(filters[:, 60:].sum(0) * bins[1], 1, atol=0.05)
    assert (np.diff(filters.argmax(0)) >= 0).all()

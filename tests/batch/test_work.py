"""What workers do to a long clip, span after span, is what is done to it in one piece."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.batch.listing import Clip
from lsp_cam.batch.record import key_of
from lsp_cam.batch.run import SPAN_SAMPLES
from lsp_cam.batch.work import Job, Rendering, digest_of, listen
from lsp_cam.dub import CHUNK_SAMPLES, picture_count, pieces
from lsp_cam.errors import ModelError, SubjectError
from lsp_cam.packets import Manner
from lsp_cam.pipeline import PipelineConfig, Smoothing
from lsp_cam.stages.steer import Steering
from lsp_cam.subject import Subject

from ..devices.media import noise


def job_of(home: Path, smoothing: Smoothing = "live", fps: int = 25) -> Job:
    subject = Subject.open(home / "subjects" / "sketch")
    config = PipelineConfig(smoothing, seed=3)
    rendering = Rendering("sketch", subject.root, digest_of(subject), config, "onnxruntime", 1)
    return Job(rendering, fps, Steering(mirror=True), Manner(liveliness=1.5))


@pytest.mark.parametrize("smoothing", ["live", "published"])
def test_the_state_is_handed_on(drawn: Path, smoothing: Smoothing) -> None:
    job, speech = job_of(drawn, smoothing), noise(9.3)
    whole, _ = listen(job, speech, None, len(speech), True)
    assert len(whole) == picture_count(len(speech), job.fps)
    heard, state = [], None
    for span, last in pieces(speech, 2 * CHUNK_SAMPLES):
        given, state = listen(job, span, pickle.loads(pickle.dumps(state)), len(speech), last)
        heard += given
    assert [x.frame for x in heard] == [x.frame for x in whole]
    assert all(np.array_equal(a.points, b.points) for a, b in zip(heard, whole, strict=True))
    assert all(np.array_equal(a.shoulders, b.shoulders) for a, b in zip(heard, whole, strict=True))
    assert not np.array_equal(whole[0].points, whole[-1].points)


def test_a_film_is_made_again_where_anything_that_it_shows_has_changed(drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_bytes(b"sound")
    clip, job = Clip(tmp_path / "talk.wav", tmp_path / "talk.mp4"), job_of(drawn)
    key = key_of(job, clip, False)
    assert key == key_of(job_of(drawn), clip, False)
    elsewhere = replace(job, rendering=replace(job.rendering, folder=tmp_path, threads=2))
    assert key == key_of(elsewhere, clip, False), "who makes it does not matter"
    others = [
        replace(job, rendering=replace(job.rendering, engine="openvino")), replace(job, fps=30),
        replace(job, manner=Manner()), replace(job, steering=Steering()),
    ]  # fmt: skip
    assert len({key, *(key_of(other, clip, False) for other in others)}) == 1 + len(others)


def test_spans_are_whole_chunks() -> None:
    assert SPAN_SAMPLES % CHUNK_SAMPLES == 0


def test_a_worker_that_has_another_subject_or_version_says_so(drawn: Path) -> None:
    job = job_of(drawn)
    fields = {name: getattr(job.rendering, name) for name in job.rendering.__dataclass_fields__}
    for wrong, error, said in (
        ({"digest": "0" * 64}, SubjectError, "another subject"),
        ({"version": "0.0"}, ModelError, "same on every machine"),
    ):
        with pytest.raises(error, match=said):
            listen(Job(Rendering(**{**fields, **wrong}), 25, job.steering, job.manner), noise(1.0), None, 16_000, True)

"""The subject that ships: whole, licensed, and its mouth moves with speech and rests in silence."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from lsp_cam.assets import sample_speech
from lsp_cam.backends.ort import OrtEngine
from lsp_cam.devices.wavfile import read_audio
from lsp_cam.packets import MOTION_FPS, SAMPLE_RATE_HZ, LandmarkFrame
from lsp_cam.pipeline import Pipeline
from lsp_cam.store import Store
from lsp_cam.stream import chunked, run_offline
from lsp_cam.subject import Subject
from lsp_cam.trust.consent import USES, check_consent

SPOKEN_S, SILENT_S = 4, 3


@pytest.fixture(scope="module")
def demo() -> Subject:
    return Store().get("demo")


@pytest.fixture(scope="module")
def pipeline(demo: Subject) -> Pipeline:
    return Pipeline(demo, OrtEngine(threads=2))


@pytest.fixture(scope="module")
def landmarks(pipeline: Pipeline) -> list[LandmarkFrame]:
    """Some speech, then silence."""
    speech = read_audio(sample_speech())[: SPOKEN_S * SAMPLE_RATE_HZ]
    samples = np.concatenate([speech, np.zeros(SILENT_S * SAMPLE_RATE_HZ, np.float32)])
    return list(run_offline(pipeline.motion, chunked(samples, 533)))


def test_it_is_whole_small_and_licensed(demo: Subject) -> None:
    demo.verify()
    assert sum(entry.bytes for entry in demo.manifest.files.values()) < 40e6
    assert "CC0" in demo.manifest.licence
    assert "does not exist" in demo.manifest.consent.shows
    for use in USES:
        check_consent("demo", demo.manifest.consent, use)


def test_its_mouth_opens_in_speech_and_rests_in_silence(landmarks: list[LandmarkFrame]) -> None:
    points = np.stack([frame.points for frame in landmarks])
    gaps = (points[:, [60, 59, 58], 1] - points[:, [61, 62, 63], 1]).mean(axis=1)
    speech, silence = gaps[: SPOKEN_S * MOTION_FPS], gaps[SPOKEN_S * MOTION_FPS + 18 :]  # 300 ms to close
    assert np.percentile(speech, 90) > 3.0
    assert np.abs(silence).max() < 0.5
    lips = points[SPOKEN_S * MOTION_FPS + 18 :, 46:64] - points[SPOKEN_S * MOTION_FPS + 18 :, 35:44].mean(
        1, keepdims=True
    )
    assert np.abs(np.diff(lips, axis=0)).max() < 0.5  # what is left is the head's turning


def test_its_picture_is_the_person_of_the_preview(demo: Subject, pipeline: Pipeline) -> None:
    preview = cv2.imdecode(np.frombuffer(demo.read("preview.jpg"), np.uint8), cv2.IMREAD_COLOR)
    assert preview is not None
    picture = pipeline.render(pipeline.draw(pipeline.idle())).pixels
    error = picture.astype(float) - cv2.cvtColor(preview, cv2.COLOR_BGR2RGB)
    assert 10 * np.log10(255**2 / np.square(error).mean()) > 22

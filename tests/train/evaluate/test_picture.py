"""Table 3's measures, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lsp_cam.backends.choose import open_engine
from lsp_cam.pipeline import Pipeline
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate.figures import share, spread
from lsp_cam.train.evaluate.footage import HeldOut
from lsp_cam.train.evaluate.picture import Extras, TrackedMotion, boxes_of, chosen_pictures, compare
from lsp_cam.train.quality import ssim
from lsp_cam.train.tracked import pinhole

from .material import clip

DEMO = Path(__file__).resolve().parents[3] / "subjects" / "demo"
BOXES = (slice(0, 32), slice(0, 64)), (slice(0, 16), slice(0, 16))


def test_measures_of_a_picture_that_is_off_in_places() -> None:
    truth = np.full((64, 64, 3), 100, np.uint8)
    ours = truth.copy()
    ours[32:] = 110  # the lower half, which is outside both boxes
    found = compare(ours, truth, BOXES, Extras())
    assert found["l1"] == 5
    assert found["psnr_db"] == pytest.approx(10 * np.log10(255**2 / 50))
    assert found["face_psnr_db"] > 100
    assert found["mouth_psnr_db"] > 100
    assert "lpips" not in found


def test_ssim_of_flat_pictures_is_its_luminance_term() -> None:
    a, b = np.full((32, 32, 3), 100.0), np.full((32, 32, 3), 120.0)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1))


def test_landmarks_are_compared_where_both_pictures_have_a_face() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    places = iter([np.zeros((5, 2)), np.full((5, 2), (3.0, 4.0)), None, np.zeros((5, 2))])
    extras = Extras(detect=lambda picture: next(places), perceived=lambda a, b: 0.25)
    found = compare(picture, picture, BOXES, extras)
    assert (found["landmarks_px"], found["lpips"]) == (5, 0.25)
    assert np.isnan(compare(picture, picture, BOXES, extras)["landmarks_px"])


def test_boxes_are_around_the_face_and_around_the_mouth() -> None:
    pixels = clip().project(clip().points)[0]
    face, mouth = boxes_of(pixels, 512)
    contour, lips = pixels[:15], pixels[46:64]
    width = np.ptp(contour[:, 0])
    assert face[1].start == pytest.approx(contour[:, 0].min() - 0.15 * width, abs=1)
    assert mouth[0].stop == pytest.approx(lips[:, 1].max() + 0.3 * np.ptp(lips[:, 0]), abs=1)


def test_pictures_are_evenly_chosen() -> None:
    assert chosen_pictures(3, 10) == [0, 1, 2]
    assert chosen_pictures(101, 3) == [0, 50, 100]


def test_what_is_no_number_does_not_count() -> None:
    assert spread([1.0, 3.0, float("nan")]) == {"mean": 2, "deviation": 1}
    assert spread([float("nan")]) is None
    assert share([True, False, False, True]) == 0.5
    assert share([]) is None


def test_shoulders_are_drawn_as_tracked_unless_the_subject_hides_them() -> None:
    subject = Subject.open(DEMO)
    held_out = HeldOut(np.zeros((3, 512, 512, 3), np.uint8), np.zeros(1600, np.float32), clip(frames=3), 0.0)
    motion = TrackedMotion(Pipeline(subject, open_engine("onnxruntime", 1)), held_out)
    wanted = pinhole(held_out.tracked.shoulders, held_out.tracked.intrinsics)
    np.testing.assert_allclose(motion.landmarks(1).shoulders, wanted[1], atol=1e-3)
    hidden = TrackedMotion(Pipeline(_hiding(subject), open_engine("onnxruntime", 1)), held_out)
    assert hidden.landmarks(1).shoulders.min() > 4000


def _hiding(subject: Subject) -> Subject:
    settings = {**subject.manifest.settings, "project": {"shoulder_offset_px": [4096, 4096]}}
    return replace(subject, manifest=subject.manifest.model_copy(update={"settings": settings}))

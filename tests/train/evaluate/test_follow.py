"""Tracking of a known face: landmarks of the synthetic person, made of the ground truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lsp_cam.stages.landmarks import LIPS
from lsp_cam.subject import Subject
from lsp_cam.train.evaluate.follow import Body, Known, follow, known, with_body
from lsp_cam.train.evaluate.footage import part_of
from lsp_cam.train.evaluate.head import angles_between
from lsp_cam.train.evaluate.speaking import lip_gap
from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.synthetic import read_tracked
from lsp_cam.train.tracked import Tracked, pinhole

COUNT = 120
WHOLE = [Segment(0, COUNT)]


@pytest.fixture(scope="module")
def clip(shared: Path) -> Tracked:
    return part_of(read_tracked(shared / "data/synthetic"), 2600, 2600 + COUNT)


@pytest.fixture(scope="module")
def person() -> Known:
    return known(Subject.open(Path(__file__).resolve().parents[3] / "subjects" / "demo"))


def test_true_landmarks_give_the_true_motion(clip: Tracked, person: Known) -> None:
    pixels = clip.project(clip.points)
    found = follow(pixels, WHOLE, clip.fps, person)
    assert not found.offset_removed
    assert found.offset_px < 0.1
    assert angles_between(found.clip.angles, clip.angles).mean() < 0.2
    assert np.abs(found.clip.translation - clip.translation).mean() < 1
    np.testing.assert_allclose(found.clip.project(found.clip.points), pixels, atol=1e-6)  # seen where they were seen
    assert np.corrcoef(lip_gap(found.clip.points), lip_gap(clip.points))[0, 1] > 0.999
    away = np.linalg.norm((found.clip.points - clip.points)[:, LIPS, :2], axis=-1)
    assert away.mean() < 0.5  # mm, across; depth is not seen


def test_landmarks_that_mean_other_points_are_told_and_set_right(clip: Tracked, person: Known) -> None:
    strange = clip.project(clip.points) + np.random.default_rng(0).normal(0, 3, (73, 2))
    found = follow(strange, WHOLE, clip.fps, person)
    assert found.offset_removed
    assert found.offset_px > 2
    assert angles_between(found.clip.angles, clip.angles).mean() < 1.5
    moved = found.clip.project(found.clip.points).mean(axis=0) - clip.project(clip.points).mean(axis=0)
    assert np.linalg.norm(moved, axis=1).mean() < 3  # nearer to where the subject has them
    assert np.corrcoef(lip_gap(found.clip.points), lip_gap(clip.points))[0, 1] > 0.99


def test_shoulders_follow_as_the_subjects_do(clip: Tracked, person: Known) -> None:
    found = follow(clip.project(clip.points), WHOLE, clip.fps, person).clip
    moved = found.shoulders[9] - found.shoulders[0]
    np.testing.assert_allclose(moved, np.tile(person.share * (found.translation[9] - found.translation[0]), (18, 1)))


def test_a_body_that_moves_by_itself_is_found_where_it_is(clip: Tracked, person: Known) -> None:
    cloth = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    frames = np.stack([np.roll(cloth, 6 * int(k >= 20), axis=1) for k in range(len(clip.points))])  # at a cut
    line = np.stack([np.linspace(60, 440, 18), np.full(18, 380.0)], axis=1)
    segments = [Segment(0, 20), Segment(20, len(frames))]
    found = with_body(clip, frames, segments, person, Body(cloth, line))
    away = pinhole(found.shoulders, found.intrinsics) - line
    np.testing.assert_allclose(away[:20], 0, atol=0.3)
    np.testing.assert_allclose(away[20:], np.broadcast_to([6.0, 0], (len(frames) - 20, 18, 2)), atol=0.3)

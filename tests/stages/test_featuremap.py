"""The feature map: the reference pixels, and the lines drawn one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest

from lsp_cam.packets import LandmarkFrame
from lsp_cam.stages.featuremap import FeatureMapConfig, FeatureMapStage, draw_map

FACE = "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14|15 16 17 18 18 19 20 15|21 22 23 24 24 25 26 21|35 36 37 38 39 40 41 42 43|"
FACE += "27 65 28 68 29|29 67 30 66 27|33 69 32 72 31|31 71 34 70 33|46 47 48 49 50 51 52|52 53 54 55 56 57 46|"
FACE += "46 63 62 61 52|52 60 59 58 46"
SHOULDERS = "0 1 2 3 4 5 6 7 8|9 10 11 12 13 14 15 16 17"


def one_by_one(points: Any, shoulders: Any, size: int) -> Any:
    """The map as the README of the reference cases tells it: a cv2.line from each point to the next."""
    picture = np.zeros((size, size), np.uint8)
    for pixels, lines in ((points, FACE), (shoulders, SHOULDERS)):
        for line in lines.split("|"):
            numbers = [int(n) for n in line.split()]
            for a, b in pairwise(numbers):
                ends = [tuple(int(c) for c in pixels[n]) for n in (a, b)]
                cv2.line(picture, ends[0], ends[1], 255, 2)
    return picture


def test_maps_are_the_published_ones(case: Any, reference_bundle: Any) -> None:
    stage = FeatureMapStage.from_subject(reference_bundle(case.name))
    for frame, packed in zip(case.expected["map_frames"], case.expected["maps"], strict=True):
        given = LandmarkFrame(frame, case.expected["landmarks"][frame], case.expected["shoulders"][frame])
        got = stage.draw(given)
        assert got.frame == frame
        assert set(np.unique(got.pixels)) == {0, 255}
        np.testing.assert_array_equal(np.packbits(got.pixels > 0, axis=-1), packed)


@pytest.mark.parametrize("seed", range(20))
def test_lines_drawn_at_once_are_lines_drawn_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-60, 320, (73, 2)).astype(np.float32)
    shoulders = rng.uniform(-60, 320, (18, 2)).astype(np.float32)
    np.testing.assert_array_equal(draw_map(points, shoulders, 256), one_by_one(points, shoulders, 256))


def test_coordinates_are_cut_off_towards_zero() -> None:
    points = np.full((73, 2), 20.9, np.float32)
    np.testing.assert_array_equal(
        draw_map(points, points[:18], 64), draw_map(np.full((73, 2), 20, np.float32), np.full((18, 2), 20), 64)
    )


@pytest.mark.parametrize("wild", [np.nan, np.inf, -np.inf, 1e30, -1e30, 1e6])
def test_wild_coordinates_draw_something_and_do_not_crash(wild: float) -> None:
    points = np.full((73, 2), 20, np.float32)
    points[3] = wild
    assert draw_map(points, points[:18], 64).shape == (64, 64)


def test_each_frame_has_a_map_of_its_own() -> None:
    stage = FeatureMapStage(FeatureMapConfig(64))
    points = np.full((73, 2), 20, np.float32)
    first = stage.draw(LandmarkFrame(0, points, points[:18]))
    kept = first.pixels.copy()
    stage.draw(LandmarkFrame(1, points + 20, points[:18]))
    np.testing.assert_array_equal(first.pixels, kept)

"""Cuts, and the runs of good frames between them."""

import cv2
import numpy as np

from lsp_cam.train.prepare.cuts import Segment, changes, find_cuts, segments_of


def test_a_cut_stands_out_from_movement() -> None:
    rng = np.random.default_rng(0)
    one, other = (cv2.resize(rng.integers(0, 255, (8, 8, 3)).astype(np.uint8), (64, 64)) for _ in range(2))
    frames = np.array([one] * 20 + [other] * 20, int) + rng.integers(-6, 6, (40, 64, 64, 3))
    frames = np.clip(frames, 0, 255).astype(np.uint8)
    for k in range(40):
        frames[k] = np.roll(frames[k], k, axis=1)  # somebody moves, fast
    assert find_cuts(changes(frames)) == [20]


def test_segments_end_at_cuts_and_at_bad_frames() -> None:
    good = np.ones(30, bool)
    good[[5, 6, 17]] = False
    assert segments_of(good, [12, 25], 4) == [
        Segment(0, 5),
        Segment(7, 12),
        Segment(12, 17),
        Segment(18, 25),
        Segment(25, 30),
    ]
    assert segments_of(good, [12, 25], 6) == [Segment(18, 25)]
    assert segments_of(~good, [], 3) == []

"""Shoulders are found on the person and follow the body."""

from pathlib import Path

import numpy as np

from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.rigid import Lens
from lsp_cam.train.prepare.shoulders import billboard, find_shoulders, follow
from lsp_cam.train.synthetic import rig_index
from lsp_cam.train.tracked import pinhole
from tests.train.prepare.clips import FIRST, pictures_of


def test_shoulders_lie_on_the_outline_that_is_known(shared: Path) -> None:
    picture = pictures_of(shared, 1, 512)[0]
    with np.load(shared / "data/synthetic/ground_truth.npz") as truth:
        face, known = truth["points_2d"][FIRST, rig_index()], truth["shoulder_2d"][FIRST]
    found = find_shoulders(picture, face)
    assert found.shape == (18, 2)
    assert (np.diff(found[:9, 0]) > 0).all()
    for half in (slice(0, 9), slice(9, 18)):
        rows = np.interp(found[half, 0], known[half, 0], known[half, 1])
        inside = (found[half, 0] > known[half, 0].min()) & (found[half, 0] < known[half, 0].max())
        assert inside.sum() >= 5
        assert np.abs(found[half, 1] - rows)[inside].mean() < 12


def test_the_body_is_followed_where_it_goes() -> None:
    rng = np.random.default_rng(0)
    cloth = rng.integers(0, 255, (40, 40, 3)).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
    where = np.stack([np.arange(8), -np.arange(8) // 2], axis=1)
    frames = np.stack([np.roll(cloth, (y, x), axis=(0, 1)) for x, y in where])
    line = np.stack([np.linspace(20, 140, 18), np.full(18, 60.0)], axis=1)
    moves = follow(frames, np.arange(8), frames[0], line)
    np.testing.assert_allclose(moves, where, atol=0.2)


def test_the_billboard_is_seen_where_the_points_are() -> None:
    lens = Lens(500.0, np.array([64.0, 60.0]))
    points, moves = np.random.default_rng(0).random((18, 2)) * 100, np.ones((12, 2)) * (3, -2)
    board = billboard(points, moves, 900.0, lens, [Segment(0, 12)], 25.0)
    np.testing.assert_allclose(pinhole(board, lens.matrix), np.broadcast_to(points + moves[:1], (12, 18, 2)), atol=1e-9)
    assert (board[..., 2] == 900).all()

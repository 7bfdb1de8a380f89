"""Motion at 60 fps in pieces, aligned with the sound."""

from pathlib import Path

import numpy as np

from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.timeline import Timeline, end_to_end, pieces
from lsp_cam.train.tracked import Tracked


def clip(numbers: np.ndarray, fps: float) -> Tracked:
    """A clip whose every value is the time, in seconds, of the picture that it belongs to."""
    when = (numbers + 0.5) / fps

    def of(*shape: int) -> np.ndarray:
        return np.broadcast_to(when.reshape(-1, *[1] * len(shape)), (len(when), *shape)).copy()

    return Tracked(fps, of(73, 3), np.zeros((73, 3)), of(3), of(3), of(18, 3), np.eye(3), np.zeros(3))


def test_pieces_show_the_time_that_they_say(tmp_path: Path) -> None:
    numbers = np.r_[10:40, 55:90]  # two runs of a video at 25 fps, with a gap between them
    line = Timeline(numbers, [Segment(0, 30), Segment(30, 65)])
    line.save(tmp_path / "line.npz")
    found = pieces(clip(numbers, 25.0), Timeline.load(tmp_path / "line.npz"))
    for piece, (first, last) in zip(found, [(10, 39), (55, 89)], strict=True):
        when = (piece.first + np.arange(len(piece.clip.points)) + 0.5) / 60
        np.testing.assert_allclose(piece.clip.points[:, 0, 0], when, atol=1e-9)
        assert (first + 0.5) / 25 - 1e-9 <= when[0] < (first + 0.5) / 25 + 1 / 60
        assert (last + 0.5) / 25 - 1 / 60 < when[-1] <= (last + 0.5) / 25 + 1e-9
    whole = end_to_end(found)
    assert whole.fps == 60
    assert len(whole.angles) == sum(len(piece.clip.angles) for piece in found)


def test_nothing_is_invented_inside_a_gap() -> None:
    numbers = np.r_[0:10, 40:50]
    found = pieces(clip(numbers, 30.0), Timeline(numbers, [Segment(0, 10), Segment(10, 20)]))
    shown = end_to_end(found).points[:, 0, 0]
    assert not ((shown > 10 / 30) & (shown < 40 / 30)).any()

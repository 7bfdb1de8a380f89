"""A tracked clip on disk."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from lsp_cam.train.tracked import Tracked, load_tracked, save_tracked


def test_a_saved_clip_comes_back_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = ((4, 73, 3), (73, 3), (4, 3), (4, 3), (4, 18, 3), (3, 3), (3,))
    clip = Tracked(25.0, *(rng.normal(size=shape) for shape in shapes))
    save_tracked(tmp_path / "tracked.npz", clip)
    back = load_tracked(tmp_path / "tracked.npz")
    for field in fields(Tracked):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(clip, field.name))
    assert [path.name for path in tmp_path.iterdir()] == ["tracked.npz"]

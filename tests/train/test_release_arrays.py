"""Arrays of a release, where they are not simply copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from lsp_cam.train.release_arrays import mean_angles, shoulder_offset
from lsp_cam.train.release_files import ReleaseFiles


def test_tracked_angles_are_averaged_about_180() -> None:
    assert mean_angles(np.array([[178.0, 1, 2], [-176.0, 3, 4]])) == pytest.approx((1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("size", "centre", "wanted"),
    [
        ((512, 512), (256, 256), (0, 0)),
        ((720, 1280), (640, 360), (0, 0)),
        ((400, 1280), (640, 200), (0, 0)),  # hangs over by 56 at the top and at the bottom
        ((400, 1280), (640, 180), (0, 76 - 36)),  # by 76 at the top, by 36 at the bottom
        ((720, 1280), (200, 360), (-56, 0)),
        ((400, 1280), (1100, 200), (76, 0)),
        ((720, 1280), (1100, 360), (0, 0)),  # hangs over, but ends neither at 0 nor at 512, as published
    ],
)
def test_shoulders_are_moved_as_the_pictures_were_padded(size: Any, centre: Any, wanted: Any, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "example.png"), np.zeros((*size, 3), np.uint8))
    np.savez(tmp_path / "change_paras.npz", scale=1.0, xc=centre[0], yc=centre[1])
    assert shoulder_offset(ReleaseFiles(tmp_path)) == pytest.approx(wanted)

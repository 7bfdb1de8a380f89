from __future__ import annotations

import cv2
import numpy as np
import pytest

from lsp_cam.devices.pixels import BY_FOURCC, FORMATS

from .media import picture

BACK = {
    "nv12": (cv2.COLOR_YUV2RGB_NV12, (96, 64)),
    "yuy2": (cv2.COLOR_YUV2RGB_YUY2, (64, 64, 2)),
}


@pytest.mark.parametrize("name", BACK)
def test_there_and_back(name: str) -> None:
    code, shape = BACK[name]
    encoded = FORMATS[name].encode(picture(7))
    back = np.asarray(cv2.cvtColor(encoded.reshape(shape), code))
    assert np.abs(back.astype(int) - picture(7)).mean() < 3
    assert np.abs(back.astype(int) - picture(7)).max() < 12


def test_i420_is_left_to_the_driver_of_the_camera() -> None:
    frame = picture(7)
    assert FORMATS["i420"].encode(frame) is frame
    assert BY_FOURCC[b"YU12"] is FORMATS["i420"]

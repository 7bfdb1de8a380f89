"""Pictures with something before the mouth are told from those without."""

from pathlib import Path

import cv2
import numpy as np

from lsp_cam.train.prepare.mesh import FaceFinder, FaceMesh, Window, window_around
from lsp_cam.train.prepare.spoilt import face_patches, find_spoilt
from tests.train.prepare.clips import pictures_of

HANDS = range(40, 46)


def test_a_hand_before_the_mouth_spoils_a_picture(shared: Path) -> None:
    frames = pictures_of(shared, 100)
    mesh, face = FaceMesh(), FaceFinder().find(frames[0])[0]
    found = mesh.see(frames[0], Window(face.x, face.y, 1.5 * face.side, 0.0))
    assert found is not None
    seen = [found]
    for frame in frames[1:]:
        next_one = mesh.see(frame, window_around(seen[-1]))
        assert next_one is not None
        seen.append(next_one)
    vertices = np.array(seen)
    assert not find_spoilt(face_patches(frames, vertices)).any()
    for k in HANDS:
        x, y = vertices[k, :, :2].mean(axis=0)
        cv2.ellipse(frames[k], (int(x), int(y + 20)), (26, 12), 10, 0, 360, (206, 160, 130), -1)
    vertices[70] = np.nan  # no face at all
    spoilt = np.flatnonzero(find_spoilt(face_patches(frames, vertices)))
    assert set(HANDS) | {70} <= set(spoilt)
    assert set(spoilt) <= set(range(HANDS.start - 1, HANDS.stop + 1)) | {70}

"""What is painted anew: the face in all frames, in whole cells."""

import numpy as np

from lsp_cam.train.landmarks import BROW_LEFT, BROW_RIGHT, CONTOUR, EYE_LEFT, EYE_RIGHT
from lsp_cam.train.render_window import shape_of


def _faces(centres: list[tuple[float, float]], scale: float) -> np.ndarray:
    points = np.zeros((1, 73, 2))
    points[0, list(CONTOUR)] = [(-50 * np.cos(a), 70 * np.sin(a)) for a in np.linspace(0, np.pi, 15)]
    points[0, [*BROW_RIGHT, *BROW_LEFT]] = [(x, -20) for x in np.linspace(-35, 35, 12)]
    for ring, x in ((EYE_RIGHT, -20), (EYE_LEFT, 20)):
        points[0, list(ring)] = [(x + 10 * np.cos(a), 4 * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 8)]
    return np.concatenate([points * scale + np.array(centre) for centre in centres])


def test_the_window_holds_the_face_wherever_it_moves() -> None:
    faces = _faces([(120, 110), (132, 120)], 1.0)
    shape = shape_of(faces, 512)
    window, eyes = shape.window, shape.eyes
    assert all(edge % 2 == 0 for edge in window)  # in whole cells of the flow
    assert window.left * 8 <= 70
    assert window.right * 8 >= 182
    assert window.top * 8 < 90
    assert window.bottom * 8 >= 190
    assert window.right * 8 - window.left * 8 < 180
    assert window.top <= eyes.top < eyes.bottom <= window.bottom
    assert eyes.left * 8 <= 90
    assert eyes.right * 8 >= 162
    assert (eyes.bottom - eyes.top) * 8 <= 48


def test_a_face_at_the_edge_is_cut_at_the_edge() -> None:
    shape = shape_of(_faces([(20, 456)], 1.5), 512)
    assert shape.window.left == 0
    assert shape.window.bottom == 64
    assert shape.window.left <= shape.eyes.left < shape.eyes.right <= shape.window.right


def test_all_of_a_small_picture_is_painted() -> None:
    assert tuple(shape_of(_faces([(120, 110)], 1.0), 256).window) == (0, 32, 0, 32)

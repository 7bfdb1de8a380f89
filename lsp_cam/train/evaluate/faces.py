"""Landmarks of single pictures, rendered or true, by the network that creation uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import MissingExtra
from lsp_cam.train.evaluate.figures import Array
from lsp_cam.train.evaluate.picture import Detect
from lsp_cam.train.prepare.landmarks import DETECTED, look_four_times
from lsp_cam.train.prepare.mesh import FaceFinder, FaceMesh, Window, window_around
from lsp_cam.train.prepare.vertices import points_of


class Faces:
    """Finds the landmarks (73, 2) of the largest face of a picture."""

    def __init__(self) -> None:
        self._finder, self._mesh = FaceFinder(), FaceMesh()

    def __call__(self, picture: NDArray[np.uint8]) -> Array | None:
        faces = self._finder.find(picture)
        if not faces:
            return None
        found = self._mesh.see(picture, Window(faces[0].x, faces[0].y, DETECTED * faces[0].side, 0.0))
        if found is None:
            return None
        vertices = look_four_times(self._mesh, picture, window_around(found))
        return points_of(vertices)[:, :2] if np.isfinite(vertices).all() else None


def find_faces() -> Detect | None:
    """The detector; None where mediapipe is not installed."""
    try:
        return Faces()
    except MissingExtra:
        return None

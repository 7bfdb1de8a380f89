"""Identity: the shape of this head, upright and in millimetres, from the mean of all meshes.

Axes: x to the head's left, by its mirror symmetry; y up, so that the lower edges of the eye sockets are level with the
ears (the Frankfurt plane); z to the front. Scale: pupils are 63 mm apart, as they are in the mean adult (the deviation
among people is 3.6 mm, 6 %: all lengths share that error, angles and pictures do not).
"""

import numpy as np

from lsp_cam.train.prepare.rigid import Array, turns
from lsp_cam.train.prepare.vertices import TWIN, place

PUPILS_MM = 63.0
_PUPILS = place(468), place(473)
_SOCKETS, _EARS = [place(119), place(348)], [place(234), place(454)]
ROUNDS = 6


def mean_shape(meshes: Array) -> Array:
    """Shape (V, 3) of meshes (T, V, 3) in pixels (y down, z away): aligned to each other, averaged, upright, in mm."""
    meshes = meshes * (1.0, -1.0, -1.0)
    centred = meshes - meshes.mean(axis=1, keepdims=True)
    shape = centred[0]
    for _ in range(ROUNDS):
        left, stretch, right = np.linalg.svd(np.einsum("vi,tvj->tij", shape, centred))
        scale = stretch.sum(axis=1) / np.einsum("tvi,tvi->t", centred, centred)
        shape = np.einsum("t,tij,tvj->vi", scale, left @ right, centred, optimize=True) / len(centred)
    shape = level(symmetric(shape))
    return np.asarray(shape * PUPILS_MM / np.linalg.norm(shape[_PUPILS[0]] - shape[_PUPILS[1]]))


def symmetric(shape: Array) -> Array:
    """The shape (V, 3) turned and shifted so that its mirror plane is x = 0."""
    shape = shape - shape.mean(axis=0)
    for _ in range(ROUNDS):
        mirrored = (shape * (-1, 1, 1))[TWIN]
        left, _, right = np.linalg.svd(mirrored.T @ shape)
        half = _vector((left @ right).T) / 2  # turns the mirrored shape onto the shape; half of it lies between them
        shape = shape @ turns(half[None])[0]
        shape = shape - ((shape[:, 0] + shape[TWIN, 0]) / 2).mean() * np.array([1.0, 0, 0])
    return shape


def level(shape: Array) -> Array:
    """The shape (V, 3) nodded until eye sockets and ears are level."""
    forward = shape[_SOCKETS].mean(axis=0) - shape[_EARS].mean(axis=0)
    nod = np.arctan2(forward[1], forward[2])
    return np.asarray(shape @ turns(np.array([[nod, 0.0, 0.0]]))[0].T)


def _vector(rotation: Array) -> Array:
    """Axis times angle in radians (3,) of a rotation (3, 3) of less than half a turn."""
    skew = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    sine = np.linalg.norm(skew) / 2
    angle = np.arctan2(sine, (np.trace(rotation) - 1) / 2)
    return np.asarray(skew * (0.5 if sine < 1e-9 else angle / (2 * sine)))

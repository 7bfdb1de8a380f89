"""Landmarks: the mesh of every picture, as steady as the picture allows and no more (section 4.1).

A mesh network answers a little differently for each place where it is told to look. So it looks twice: once to learn
where the face is, then four times at each picture, through windows that move smoothly with the head, two of them in the
mirror; the mean of the four has a good half of the error of one. What is left of the noise goes by a filter over five
frames that keeps parabolas, so that a mouth that closes for two frames still closes.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from lsp_cam.train.prepare.cuts import Segment
from lsp_cam.train.prepare.filter import parabolic
from lsp_cam.train.prepare.mesh import Array, FaceFinder, FaceMesh, Picture, Window, window_around
from lsp_cam.train.prepare.vertices import KEPT, TWIN
from lsp_cam.train.prepare.work import write_arrays

VIEWS = ((0.8, False), (0.9, True), (1.0, False), (1.1, True))
"""Sides of the windows in sides of the one that the mesh wants, and whether the picture is mirrored."""
BLOCK = 200  # pictures between two savings
DETECTED = 1.5  # side of the window in sides of the detector's box
STEADY_WINDOW_FRAMES = 4.0
FILTER_FRAMES = 5
Tell = Callable[[float], None]


def first_look(frames: NDArray[np.uint8], folder: Path, tell: Tell) -> Array:
    """Vertices (T, V, 3) in pixels, NaN where no face is seen; each window follows from the picture before."""
    mesh, finder = FaceMesh(), FaceFinder()
    window: Window | None = None

    def block(first: int, last: int, before: Array | None) -> Array:
        nonlocal window
        found = np.full((last - first, len(KEPT), 3), np.nan)
        seen = before[-1] if before is not None and np.isfinite(before[-1]).all() else None
        window = None if seen is None else window_around(seen)
        for k in range(first, last):
            seen = _look(mesh, finder, np.asarray(frames[k]), window)
            window = None if seen is None else window_around(seen)
            if seen is not None:
                found[k - first] = seen
        return found

    return _in_blocks(len(frames), folder / "first", block, tell)


def _look(mesh: FaceMesh, finder: FaceFinder, picture: Picture, window: Window | None) -> Array | None:
    """The mesh through the window; where that shows none, through that of the largest face."""
    seen = mesh.see(picture, window) if window is not None else None
    if seen is None:
        faces = finder.find(picture)
        if faces:
            found = mesh.see(picture, Window(faces[0].x, faces[0].y, DETECTED * faces[0].side, 0.0))
            seen = None if found is None else mesh.see(picture, window_around(found))
    return seen


def windows_of(seen: Array, segments: list[Segment]) -> dict[int, Window]:
    """For each frame of a segment a window that moves smoothly with the head."""
    windows: dict[int, Window] = {}
    for first, last in segments:
        rows = np.array([window_around(vertices) for vertices in seen[first:last]])
        smooth = gaussian_filter1d(rows, STEADY_WINDOW_FRAMES, axis=0, mode="nearest")
        windows |= {first + k: Window(*map(float, row)) for k, row in enumerate(smooth)}
    return windows


def second_look(frames: NDArray[np.uint8], windows: dict[int, Window], folder: Path, tell: Tell) -> Array:
    """Vertices (T, V, 3) as the mean over the views; NaN where there is no window, or one view shows no face."""
    mesh = FaceMesh()

    def block(first: int, last: int, before: Array | None) -> Array:
        found = np.full((last - first, len(KEPT), 3), np.nan)
        for k in range(first, last):
            if k in windows:
                found[k - first] = look_four_times(mesh, np.asarray(frames[k]), windows[k])
        return found

    return _in_blocks(len(frames), folder / "second", block, tell)


def look_four_times(mesh: FaceMesh, picture: Picture, window: Window) -> Array:
    """Vertices (V, 3) as the mean over the views of one picture; NaN if one of them shows no face."""
    mirror, width = np.ascontiguousarray(picture[:, ::-1]), picture.shape[1]
    total: Array = np.zeros((len(KEPT), 3))
    for share, mirrored in VIEWS:
        if mirrored:
            turned = Window(width - window.x, window.y, window.side * share, -window.turn)
            seen = mesh.see(mirror, turned)
            if seen is not None:
                seen = (seen * (-1, 1, 1) + (width, 0, 0))[TWIN]
        else:
            seen = mesh.see(picture, window._replace(side=window.side * share))
        if seen is None:
            return np.full((len(KEPT), 3), np.nan)
        total = total + seen
    return total / len(VIEWS)


def steady(vertices: Array, segments: list[Segment]) -> Array:
    """The vertices (T, V, 3) filtered over time, never across a cut or a dropped frame; NaN outside segments."""
    return parabolic(vertices, segments, FILTER_FRAMES)


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, BLOCK):
        yield first, min(first + BLOCK, count)


def _in_blocks(count: int, folder: Path, make: Callable[[int, int, Array | None], Array], tell: Tell) -> Array:
    """Arrays of frames made and saved block by block; blocks that are there already are not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks: list[Array] = []
    for first, last in _blocks(count):
        path = folder / f"{first:06d}.npz"
        if not path.exists():
            write_arrays(path, found=make(first, last, blocks[-1] if blocks else None))
        with np.load(path, allow_pickle=False) as kept:
            blocks.append(kept["found"])
        tell(last / count)
    return np.concatenate(blocks)

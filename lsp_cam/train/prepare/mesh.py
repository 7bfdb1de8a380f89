"""The one door to mediapipe: faces in a picture, the mesh of one of them, and where the person is.

Its models come in its wheel, so nothing is fetched. Own graphs are fed to its runner, because the ready-made ones
choose where to look by themselves, and because building those needs an old protobuf.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsp_cam.errors import MissingExtra
from lsp_cam.folders import install_command
from lsp_cam.train.prepare.vertices import KEPT, place

Picture = NDArray[np.uint8]
Array = NDArray[np.float64]
_KEPT = list(KEPT)
NEWER_PYTHON = (3, 13)
_USE_OLDER = "There is none for this Python: use Python 3.11 or 3.12."
_EYE_RIGHT, _EYE_LEFT = place(33), place(263)


class Window(NamedTuple):
    """A square to look at: centre and side in pixels, turned clockwise by an angle in radians."""

    x: float
    y: float
    side: float
    turn: float


@dataclass(frozen=True)
class Face:
    """A face that was found: its box, centre and side in pixels, and the detector's confidence in 0..1."""

    x: float
    y: float
    side: float
    score: float


@contextmanager
def _silence() -> Iterator[None]:
    """Keep what mediapipe's libraries say on stderr, which no user can do anything about, from the terminal."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _graph(node: str, inputs: dict[str, str], output: str, kind: str, **sides: bool) -> Any:
    """A runner of one of mediapipe's subgraphs; `inputs` and `output` map stream names to packet kinds."""
    with _silence():
        try:
            from google.protobuf import text_format
            from mediapipe.framework import calculator_pb2
            from mediapipe.python.solution_base import PacketDataType, SolutionBase
        except ModuleNotFoundError as error:
            remedy = f"Run: {install_command('train')}" if sys.version_info < NEWER_PYTHON else _USE_OLDER
            raise MissingExtra(
                f"Reading faces in a video needs {error.name}, which is not installed. {remedy}"
            ) from None
        names = [*inputs, output]
        kinds = dict(zip(names, [PacketDataType[k] for k in (*inputs.values(), kind)], strict=True))
        text = "".join(f'input_stream:"{name}" ' for name in inputs)
        text += "".join(f'input_side_packet:"{name.upper()}:{name}" ' for name in sides)
        text += f'output_stream:"{output}" node {{ {node} }}'
        config = text_format.Parse(text, calculator_pb2.CalculatorGraphConfig())
        return SolutionBase(graph_config=config, side_inputs=sides, outputs=[output], stream_type_hints=kinds)


class FaceFinder:
    """Finds every face of a picture."""

    def __init__(self) -> None:
        node = 'calculator:"FaceDetectionFullRangeCpu" input_stream:"IMAGE:image" output_stream:"DETECTIONS:found"'
        self._graph = _graph(node, {"image": "IMAGE"}, "found", "PROTO_LIST")

    def find(self, picture: Picture) -> list[Face]:
        """Faces of a picture (H, W, 3) RGB, the largest first."""
        with _silence():
            found = self._graph.process({"image": np.ascontiguousarray(picture)}).found or []
        height, width = picture.shape[:2]
        faces = []
        for one in found:
            box = one.location_data.relative_bounding_box
            x, y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
            faces.append(Face(x, y, max(box.width * width, box.height * height), float(one.score[0])))
        return sorted(faces, key=lambda face: -face.side)


class FaceMesh:
    """The mesh of the face inside a window."""

    def __init__(self) -> None:
        node = (
            'calculator:"FaceLandmarkCpu" input_stream:"IMAGE:image" input_stream:"ROI:window" '
            'input_side_packet:"WITH_ATTENTION:with_attention" output_stream:"LANDMARKS:points"'
        )
        inputs = {"image": "IMAGE", "window": "PROTO"}
        self._graph = _graph(node, inputs, "points", "PROTO", with_attention=True)
        from mediapipe.framework.formats import rect_pb2

        self._rect = rect_pb2.NormalizedRect

    def see(self, picture: Picture, window: Window) -> Array | None:
        """Kept vertices (V, 3) in pixels (z: towards the camera is less), or None where no face is in the window.

        Pixel (0, 0) is centred at (0.5, 0.5).
        """
        height, width = picture.shape[:2]
        rect = self._rect(
            x_center=window.x / width,
            y_center=window.y / height,
            width=window.side / width,
            height=window.side / height,
            rotation=window.turn,
        )
        with _silence():
            points = self._graph.process({"image": picture, "window": rect}).points
        if points is None:
            return None
        found = [points.landmark[k] for k in _KEPT]
        return np.array([(p.x * width, p.y * height, p.z * width) for p in found])


def window_around(vertices: Array, share: float = 1.5) -> Window:
    """The window that the mesh wants for a face whose vertices (V, 3) are known."""
    across = vertices[_EYE_LEFT, :2] - vertices[_EYE_RIGHT, :2]
    turn = float(np.arctan2(across[1], across[0]))
    back = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    level = vertices[:, :2] @ back
    low, high = level.min(axis=0), level.max(axis=0)
    x, y = back @ ((low + high) / 2)
    return Window(float(x), float(y), share * float((high - low).max()), turn)


class PersonFinder:
    """Tells the person from the background."""

    def __init__(self) -> None:
        node = 'calculator:"SelfieSegmentationCpu" input_stream:"IMAGE:image" output_stream:"SEGMENTATION_MASK:mask"'
        self._graph = _graph(node, {"image": "IMAGE_FRAME"}, "mask", "IMAGE_FRAME")

    def find(self, picture: Picture) -> NDArray[np.bool_]:
        """Where (H, W) the person is in a picture (H, W, 3) RGB."""
        with _silence():
            mask = self._graph.process({"image": np.ascontiguousarray(picture)}).mask
        return np.asarray(mask > 0.5)

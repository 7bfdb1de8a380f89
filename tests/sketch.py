"""A subject whose renderer only draws: the reference one's voice, mouth and head, white lines on black, at once."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from lsp_cam.stages.render import RenderConfig
from lsp_cam.subject import Subject, write_bundle

LEFT_OUT = ("render.onnx", "render_constants.onnx", "candidates/")


def sketch_of(subject: Subject, root: Path, name: str = "sketch") -> Subject:
    """A bundle in `root` like `subject`, but for its renderer and its name."""
    files = {path: subject.read(path) for path in subject.manifest.files if not path.startswith(LEFT_OUT)}
    files["render.onnx"] = line_renderer(subject.config("render", RenderConfig).size)
    fields = subject.manifest.model_dump(exclude={"format", "files"})
    return write_bundle(root, {**fields, "name": name, "title": name.title()}, files)


def line_renderer(size: int) -> bytes:
    """The ONNX of `frame = 2 * map - 1`, on all three channels."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["map", "two"], ["doubled"]),
            helper.make_node("Sub", ["doubled", "one"], ["grey"]),
            helper.make_node("Concat", ["grey", "grey", "grey"], ["frame"], axis=1),
        ],
        "lines",
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, (1, 1, size, size))],
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, (1, 3, size, size))],
        [
            helper.make_tensor("two", TensorProto.FLOAT, (), [2.0]),
            helper.make_tensor("one", TensorProto.FLOAT, (), [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data

"""A subject whose renderer only draws: the reference one's voice, mouth and head, white lines on black, at once."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from lsp_cam.stages.render import RenderConfig
from lsp_cam.subject import Subject, bundle_like

LEFT_OUT = ("render.onnx", "render_constants.onnx", "candidates/")


def sketch_of(subject: Subject, root: Path, name: str = "sketch", *, fragile: bool = False) -> Subject:
    """A bundle in `root` like `subject`, but for its renderer and its name. `fragile`: see `line_renderer`."""
    files = {"render.onnx": line_renderer(subject.config("render", RenderConfig).size, fragile)}
    return bundle_like(subject, root, files, without=LEFT_OUT, fields={"name": name, "title": name.title()})


def line_renderer(size: int, fragile: bool = False) -> bytes:
    """The ONNX of `frame = 2 * map - 1`, on all three channels. If `fragile`, it fails at a map without a line."""
    first = [
        helper.make_node("MatMul", ["map", "ones"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["row"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["row", "ones"], ["white"]),
        helper.make_node("Clip", ["white", "zero", "one"], ["any"]),
        helper.make_node("Cast", ["any"], ["lines"], to=TensorProto.INT64),
        helper.make_node("Sub", ["first", "lines"], ["place"]),
        helper.make_node("Gather", ["twos", "place"], ["two"]),  # where there is no line, place 1, which is not there
    ]
    constants = [
        helper.make_tensor("ones", TensorProto.FLOAT, (size, 1), [1.0] * size),
        helper.make_tensor("zero", TensorProto.FLOAT, (), [0.0]),
        helper.make_tensor("first", TensorProto.INT64, (), [1]),
        helper.make_tensor("twos", TensorProto.FLOAT, (1,), [2.0]),
    ]
    graph = helper.make_graph(
        [
            *(first if fragile else []),
            helper.make_node("Mul", ["map", "two"], ["doubled"]),
            helper.make_node("Sub", ["doubled", "one"], ["grey"]),
            helper.make_node("Concat", ["grey", "grey", "grey"], ["frame"], axis=1),
        ],
        "lines",
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, (1, 1, size, size))],
        [helper.make_tensor_value_info("frame", TensorProto.FLOAT, (1, 3, size, size))],
        [
            *(constants if fragile else [helper.make_tensor("two", TensorProto.FLOAT, (), [2.0])]),
            helper.make_tensor("one", TensorProto.FLOAT, (), [1.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data

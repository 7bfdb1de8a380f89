"""Half the size: an ONNX file's large constants kept as float16, each once, and cast back when the file is loaded."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST = 256  # numbers; below that nothing is gained
LARGEST_HALF = 60_000.0


def halved(file: bytes) -> bytes:
    """The same network with its float32 constants of `SMALLEST` numbers or more stored as float16.

    ONNX Runtime casts constants once, when it loads the file, so that nothing is slower afterwards.
    """
    model = onnx.load_from_string(file)
    graph = model.graph
    kept: dict[bytes, str] = {}
    constants, casts, renamed = [], [], {}
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < SMALLEST or np.abs(values).max() > LARGEST_HALF:
            constants.append(constant)
            continue
        half = values.astype(np.float16)
        content = repr(half.shape).encode() + half.tobytes()
        if content in kept:  # weights that an unrolled step names once per row
            renamed[constant.name] = kept[content]
            continue
        kept[content] = constant.name
        constants.append(numpy_helper.from_array(half, f"{constant.name}_half"))
        casts.append(helper.make_node("Cast", [f"{constant.name}_half"], [constant.name], to=TensorProto.FLOAT))
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = renamed.get(name, name)
    nodes = [*casts, *graph.node]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(constants)
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())

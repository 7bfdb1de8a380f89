"""Half the size: an ONNX file's large constants kept as float16 and cast back when it is loaded."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALLEST = 256  # numbers; below that nothing is gained


def halved(file: bytes) -> bytes:
    """The same network with its float32 constants of `SMALLEST` numbers or more stored as float16.

    ONNX Runtime casts constants once, when it loads the file, so that nothing is slower afterwards.
    """
    model = onnx.load_from_string(file)
    graph = model.graph
    casts = []
    for constant in graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < SMALLEST or np.abs(values).max() > 60_000:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
